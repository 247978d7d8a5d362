#include "migration/verify/compare_journal.h"

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "compare/difference_file.h"
#include "compare/progress_text.h"

namespace pegmove::migration {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostListedBytes = 64 << 10;  // of the differences in a position

struct CountField {
  const char* name;
  int64_t compare::CompareCounts::* field;
};
constexpr CountField kCounts[] = {{"source_rows", &compare::CompareCounts::source_rows},
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

std::unexpected<Error> corrupt(const std::string& what) {
  return fail(Code::kCorrupt, "the journal's " + what + " cannot be read; start another run");
}

Result<int64_t> get_integer(const Json& from, const char* name, int64_t least, int64_t most) {
  const auto found = from.find(name);
  if (found == from.end() || !found->is_number_integer()) return corrupt(name);
  const auto number = found->get<int64_t>();
  if (number < least || number > most) return corrupt(name);
  return number;
}

Result<compare::RowSum> get_sum(const Json& from, const char* name) {
  const auto found = from.find(name);
  if (found == from.end() || !found->is_string()) return corrupt(name);
  return compare::RowSum::from_hex(found->get_ref<const std::string&>());
}

Result<compare::ResidueClassState> parse_state(const journal::UnitPosition& position,
                                               const Json& shape) {
  const auto json = base::parse_json<Json>(position.detail);
  if (!json.is_object() || !json.contains("tables")) return corrupt("position");
  if (json["tables"] != shape)
    return fail(Code::kInvalidArgument,
                "the table was replaced by another one, or its partition count has changed");
  compare::ResidueClassState state{.last_key = position.last_key, .done = position.done};
  for (const auto& [name, field] : kCounts)
    state.counts.*field = TRY(get_integer(json, name, 0, INT64_MAX));
  state.counts.source_sum = TRY(get_sum(json, "source_sum"));
  state.counts.target_sum = TRY(get_sum(json, "target_sum"));
  const auto listed = json.find("differences");
  if (listed == json.end() || !listed->is_array()) return corrupt("differences");
  for (const auto& line : *listed)
    state.listed.push_back(TRY(compare::parse_difference(base::json_text(line))));
  return state;
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
  constexpr int64_t kDays = int64_t(86'400'000) * 365;
  const auto json = base::parse_json<Json>(text);
  if (!json.is_object()) return corrupt("options of the run");
  compare::CompareOptions options;
  options.most_listed = size_t(TRY(get_integer(json, "most_listed", 0, 1 << 20)));
  options.expiry_tolerance_s =
      uint32_t(TRY(get_integer(json, "expiry_tolerance_s", 0, UINT32_MAX)));
  if (const auto sample = json.find("sample"); sample != json.end()) {
    const auto share = sample->is_object() ? sample->value("share", Json()) : Json();
    const auto seed = sample->is_object() ? sample->value("seed", Json()) : Json();
    if (!share.is_number() || !seed.is_number_unsigned() || share.get<double>() <= 0 ||
        share.get<double>() > 1)
      return corrupt("sample");
    options.sample = {.share = share.get<double>(), .seed = seed.get<uint64_t>()};
  }
  if (const auto live = json.find("live"); live != json.end()) {
    if (!live->is_object()) return corrupt("live");
    options.live.emplace();
    options.live->lag = async::milliseconds(TRY(get_integer(*live, "lag_ms", 0, kDays)));
    options.live->reads = int(TRY(get_integer(*live, "reads", 2, 1000)));
    options.live->settle_for =
        async::milliseconds(TRY(get_integer(*live, "settle_for_ms", 0, kDays)));
  }
  return options;
}

journal::UnitPosition to_position(int number, const compare::ResidueClassState& state,
                                  const compare::TablePair& tables) {
  Json json{{"tables", shape_of(tables)}};
  for (const auto& [name, field] : kCounts) json[name] = state.counts.*field;
  json["source_sum"] = state.counts.source_sum.to_hex();
  json["target_sum"] = state.counts.target_sum.to_hex();
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
    context.events.warn_of("run " + session.run().id +
                           " starts from the beginning: " + restored.why_restarted);
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
