#include "migration/copy/copy_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "migration/copy/prepare_copy.h"

namespace pegmove::migration {

using rows::Match;
using rows::WriteMode;

Result<void> check_copy_rules(const CopyRules& rules, bool through_duplicate) {
  auto wrong = [](std::string text) { return fail(Code::kInvalidArgument, std::move(text)); };
  for (auto partition : rules.partitions)
    if (partition < 0)
      return wrong(
          fmt::format("partitions are counted from 0; partition {} cannot exist", partition));
  for (auto partition : rules.partitions)
    if (std::ranges::count(rules.partitions, partition) > 1)
      return wrong(fmt::format("partition {} is given twice", partition));
  if (rules.filters.hash_key.match == Match::kExact)
    return wrong("hash keys can be filtered by anywhere, prefix and postfix");
  if (!rules.with_values && rules.filters.value.match != Match::kAll)
    return wrong("a filter of values needs the values: leave out --value-filter or --no-value");
  if (!rules.with_values && rules.mode == WriteMode::kGeo)
    return wrong("geo rows are made from values: leave out --no-value or --geo");
  if (through_duplicate && rules.mode != WriteMode::kPlain)
    return wrong(
        "--multi-set, --geo and --no-overwrite need --through plain: DUPLICATE does not support "
        "them");
  if (rules.mode == WriteMode::kGeo) return geo::check_layout(rules.geo_layout);
  return {};
}

bool copies_everything(const CopyRules& rules) {
  return rules.partitions.empty() && rules.filters == rows::RowFilters{} && rules.with_values &&
         rules.with_expiry && rules.mode != WriteMode::kNoOverwrite;
}

rows::TableReadOptions read_options(const CopyRules& rules, async::milliseconds timeout) {
  return {.timeout = timeout,
          .partitions = rules.partitions,
          .filters = rules.filters,
          .with_values = rules.with_values,
          .with_expiry = rules.with_expiry};
}

Task<rows::TableWriteOptions> write_options(CopyRules rules,
                                            std::optional<client::DuplicateWrite> duplicate,
                                            client::Table& source, client::Table& target,
                                            async::milliseconds timeout) {
  CO_TRY(check_copy_rules(rules, duplicate.has_value()));
  rows::TableWriteOptions options{.timeout = timeout, .duplicate = duplicate, .mode = rules.mode};
  if (rules.mode != WriteMode::kGeo) co_return options;
  auto& clock = target.cluster().client().clock();
  const auto name = target.name() + "_geo";
  auto opened = co_await client::Table::open(target.router().shared_cluster(), name,
                                             Deadline::in(clock, timeout));
  if (!opened && opened.error().code() == Code::kNotFound)
    co_return fail(Code::kNotFound,
                   fmt::format("{}; geo rows are written to table '{}': create it first",
                               opened.error().message(), name));
  auto table = CO_TRY(std::move(opened));
  if (inspect::is_same_table(source, *table))
    co_return fail(
        Code::kInvalidArgument,
        fmt::format(
            "geo rows would be written to table '{}', which is the source; give another table",
            name));
  options.geo = rows::GeoTarget{std::move(table), rules.geo_layout};
  co_return options;
}

}  // namespace pegmove::migration
