#include "migration/verify/compare_journal.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "compare/difference_file.h"
#include "compare/progress_text.h"
#include "rows/foreign_rows_text.h"

namespace pegmove::migration {
namespace {

using PositionFields = base::OrderedJsonFields;
using Json = nlohmann::ordered_json;

constexpr size_t kMostListedBytes = 64 << 10;  // of the differences in a position

struct CountField {
  const char* name;
  int64_t compare::CompareCounts::* field;
};
constexpr CountField kCountFields[] = {{"source_rows", &compare::CompareCounts::source_rows},
                                       {"target_rows", &compare::CompareCounts::target_rows},
                                       {"source_bytes", &compare::CompareCounts::source_bytes},
                                       {"missing", &compare::CompareCounts::missing},
                                       {"extra", &compare::CompareCounts::extra},
                                       {"value", &compare::CompareCounts::value_differs},
                                       {"expiry", &compare::CompareCounts::expiry_differs},
                                       {"suspects", &compare::CompareCounts::suspects},
                                       {"not_settled", &compare::CompareCounts::not_settled},
                                       {"slices", &compare::CompareCounts::slices},
                                       {"rows_skipped", &compare::CompareCounts::rows_skipped}};

Json shape_of(const compare::TablePair& tables) {
  return {tables.source->app_id(), tables.source->partition_count(), tables.target->app_id(),
          tables.target->partition_count()};
}

Result<compare::RowSum> read_sum(const PositionFields& in, const char* name) {
  const auto sum = compare::RowSum::from_hex(TRY(in.text(name)));
  if (!sum) return in.must_be(name, "a sum of rows");
  return *sum;
}

Result<compare::ResidueClassState> parse_state(const journal::UnitPosition& position,
                                               const Json& shape) {
  const auto json = base::parse_json<Json>(position.detail);
  const auto in = TRY(PositionFields::of(json, "the journal's position of a comparison"));
  if (*TRY(in.any("tables")) != shape)
    return fail(Code::kInvalidArgument,
                "the table was replaced by another one, or its partition count has changed");
  compare::ResidueClassState state{.last_key = position.last_key, .done = position.done};
  for (const auto& [name, field] : kCountFields)
    state.counts.*field = TRY(in.integer(name, 0, INT64_MAX));
  state.counts.source_sum = TRY(read_sum(in, "source_sum"));
  state.counts.target_sum = TRY(read_sum(in, "target_sum"));
  // Positions of versions that compared foreign rows do not have these fields.
  state.counts.source_foreign = TRY(rows::foreign_from_journal(TRY(in.text("source_foreign", ""))));
  state.counts.target_foreign = TRY(rows::foreign_from_journal(TRY(in.text("target_foreign", ""))));
  TRY(in.objects("differences"));
  for (const auto& line : *TRY(in.any("differences")))
    state.listed.push_back(TRY(compare::parse_difference(base::json_text(line))));
  return state;
}

Result<compare::SampleOptions> read_sample(const PositionFields& in) {
  constexpr double kLeast = std::numeric_limits<double>::min();  // more than nothing
  return compare::SampleOptions{.share = TRY(in.number("share", kLeast, 1)),
                                .seed = TRY(in.unsigned_integer("seed"))};
}

Result<compare::RecheckOptions> read_recheck(const PositionFields& in) {
  constexpr int64_t kYear = int64_t{86'400'000} * 365;
  return compare::RecheckOptions{
      .lag = async::milliseconds(TRY(in.integer("lag_ms", 0, kYear))),
      .reads = int(TRY(in.integer("reads", 2, 1000))),
      .settle_for = async::milliseconds(TRY(in.integer("settle_for_ms", 0, kYear)))};
}

}  // namespace

std::string to_json_text(const compare::CompareOptions& options) {
  Json json{{"most_listed", options.most_listed},
            {"expiry_tolerance_s", options.expiry_tolerance_s}};
  if (options.sample)
    json["sample"] = {{"share", options.sample->share}, {"seed", options.sample->seed}};
  if (options.live)
    json["live"] = {{"lag_ms", options.live->lag.count()},
                    {"reads", options.live->reads},
                    {"settle_for_ms", options.live->settle_for.count()}};
  return base::json_text(json);
}

Result<compare::CompareOptions> parse_compare_options(std::string_view text) {
  const auto json = base::parse_json<Json>(text);
  const auto in = TRY(PositionFields::of(json, "the journal's options of a comparison"));
  compare::CompareOptions options;
  options.most_listed = size_t(TRY(in.integer("most_listed", 0, 1 << 20)));
  options.expiry_tolerance_s = uint32_t(TRY(in.integer("expiry_tolerance_s", 0, UINT32_MAX)));
  if (in.has("sample")) options.sample = TRY(read_sample(TRY(in.object("sample"))));
  if (in.has("live")) options.live = TRY(read_recheck(TRY(in.object("live"))));
  return options;
}

journal::UnitPosition to_position(int number, const compare::ResidueClassState& state,
                                  const compare::TablePair& tables) {
  Json json{{"tables", shape_of(tables)}};
  for (const auto& [name, field] : kCountFields) json[name] = state.counts.*field;
  json["source_sum"] = state.counts.source_sum.to_hex();
  json["target_sum"] = state.counts.target_sum.to_hex();
  json["source_foreign"] = rows::foreign_to_journal(state.counts.source_foreign);
  json["target_foreign"] = rows::foreign_to_journal(state.counts.target_foreign);
  size_t bytes = 0;
  auto& listed = json["differences"] = Json::array();
  for (const auto& difference : state.listed) {
    auto line = difference_json(difference);
    if (bytes + line.size() > kMostListedBytes) continue;
    bytes += line.size();
    listed.push_back(base::parse_json<Json>(line));
  }
  return {.unit = number,
          .last_key = state.last_key,
          .rows = state.counts.source_rows,
          .bytes = state.counts.source_bytes,
          .done = state.done,
          .detail = base::json_text(json)};
}

RestoredClasses restore_classes(const std::vector<journal::UnitPosition>& positions,
                                const compare::TablePair& tables) {
  RestoredClasses restored;
  const auto shape = shape_of(tables);
  std::vector<compare::ResidueClassState> states(size_t(tables.classes()));
  for (const auto& position : positions) {
    auto state = parse_state(position, shape);
    if (!state) return {.states = {}, .why_restarted = state.error().message()};
    if (position.unit >= tables.classes())
      return {.states = {}, .why_restarted = "an unknown unit"};
    states[size_t(position.unit)] = *std::move(state);
  }
  if (!positions.empty()) restored.states = std::move(states);
  return restored;
}

Task<compare::CompareReport> compare_journaled(runs::StepContext context, compare::TablePair tables,
                                               compare::CompareOptions options,
                                               compare::DifferenceSink* sink, std::string doing) {
  auto& session = context.session;
  auto restored = restore_classes(session.positions(), tables);
  if (!restored.why_restarted.empty()) {
    CO_TRY(co_await session.forget_positions());
    context.events.warn_of(fmt::format("run {} starts from the beginning: {}", session.run().id,
                                       restored.why_restarted));
  }
  options.start = std::move(restored.states);
  compare::ProgressText text(std::move(doing));
  compare::CompareEvents events{
      .on_progress =
          [&](const compare::CompareCounts& so_far, async::milliseconds elapsed) {
            session.show_progress(
                context.events,
                {.line = text.line(so_far, elapsed), .unit = "rows", .done = so_far.source_rows},
                true);
          },
      .on_class =
          [&](int number, const compare::ResidueClassState& state) {
            session.note(to_position(number, state, tables));
          },
      .sink = sink};
  co_return co_await compare::compare(tables, std::move(options), session.stop(),
                                      std::move(events));
}

}  // namespace pegmove::migration
