#include "migration/prepare_copy.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;

constexpr milliseconds kCreateTimeout{60'000};

Task<> create_target(client::Cluster& source, client::Cluster& target, const CopyOptions& options) {
  auto& clock = target.client().clock();
  auto info =
      CO_TRY(co_await source.table_info(options.table, Deadline::in(clock, options.timeout)));
  client::CreateOptions create{.partition_count = options.partitions.value_or(info.partition_count),
                               .replica_count = info.replica_count};
  auto deadline = Deadline::in(clock, kCreateTimeout);
  auto created = co_await target.create_table(options.to_table, create, deadline);
  if (!created && created.error().code() == Code::kAlreadyExists)
    co_return fail(Code::kAlreadyExists, "table '" + options.to_table + "' exists on cluster " +
                                             target.name() +
                                             " already; leave out --create to copy into it");
  CO_TRY(std::move(created));
  co_return co_await target.wait_until_ready(options.to_table, {}, deadline);
}

}  // namespace

bool is_same_table(client::Table& a, client::Table& b) {
  if (a.app_id() != b.app_id() || a.partition_count() != b.partition_count()) return false;
  // One node serves a partition of one cluster only.
  for (int index = 0; index < a.partition_count(); ++index) {
    auto *of_a = a.router().primary_channel(index), *of_b = b.router().primary_channel(index);
    if (of_a && of_b) return of_a->address() == of_b->address();
  }
  return a.cluster().meta_list() == b.cluster().meta_list();
}

Task<PreparedCopy> prepare_copy(std::shared_ptr<client::Cluster> source,
                                std::shared_ptr<client::Cluster> target, CopyOptions options) {
  auto& clock = source->client().clock();
  auto deadline = [&] { return Deadline::in(clock, options.timeout); };
  if (options.to_table.empty()) options.to_table = options.table;
  PreparedCopy copy{.options = options, .source = nullptr, .target = nullptr};
  copy.source = CO_TRY(co_await client::Table::open(source, options.table, deadline()));
  if (options.create) CO_TRY(co_await create_target(*source, *target, options));
  auto opened = co_await client::Table::open(target, options.to_table, deadline());
  if (!opened && opened.error().code() == Code::kNotFound)
    co_return fail(Code::kNotFound,
                   opened.error().message() +
                       "; --create makes it, --partitions says with how many partitions");
  copy.target = CO_TRY(std::move(opened));
  if (is_same_table(*copy.source, *copy.target))
    co_return fail(Code::kInvalidArgument,
                   "table '" + options.to_table + "' on cluster " + target->name() +
                       " is the source itself; name another table or cluster");
  co_return copy;
}

}  // namespace pegmove::migration
