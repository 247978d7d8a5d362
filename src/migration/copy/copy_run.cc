#include "migration/copy/copy_run.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "base/units.h"
#include "migration/copy/copy_options_json.h"
#include "migration/journal_fields.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using Json = nlohmann::json;

constexpr int64_t kMostRate = 1'000'000'000'000;

// The tables of a run, as they were when it began.
struct Tables {
  int32_t source_app_id = 0;
  int32_t source_partitions = 0;
  int32_t target_app_id = 0;
  int32_t target_partitions = 0;
  EnvMap envs_after_copy{};  // that the target, made by the run, gets in the end

  static Tables of(const PreparedCopy& copy) {
    return {copy.source->app_id(), copy.source->partition_count(), copy.target->app_id(),
            copy.target->partition_count(), migration::envs_after_copy(copy)};
  }
};

std::string to_json(const Tables& tables) {
  return Json{{"source_app_id", tables.source_app_id},
              {"source_partitions", tables.source_partitions},
              {"target_app_id", tables.target_app_id},
              {"target_partitions", tables.target_partitions},
              {"envs_after_copy", tables.envs_after_copy}}
      .dump();
}

Result<EnvMap> read_envs(const Json& in, const char* name) {
  auto found = in.find(name);
  if (found == in.end() || !found->is_object())
    return fail(Code::kCorrupt, "'" + std::string(name) + "' must be an object");
  EnvMap envs;
  for (const auto& [env, value] : found->items()) envs[env] = TRY(read_text(*found, env.c_str()));
  return envs;
}

Result<Tables> read_tables(std::string_view text) {
  auto in = Json::parse(text, nullptr, false);
  if (!in.is_object()) return fail(Code::kCorrupt, "it is no JSON object");
  return Tables{
      .source_app_id = int32_t(TRY(read_integer(in, "source_app_id", 0, INT32_MAX))),
      .source_partitions = int32_t(TRY(read_integer(in, "source_partitions", 1, INT32_MAX))),
      .target_app_id = int32_t(TRY(read_integer(in, "target_app_id", 0, INT32_MAX))),
      .target_partitions = int32_t(TRY(read_integer(in, "target_partitions", 1, INT32_MAX))),
      .envs_after_copy = TRY(read_envs(in, "envs_after_copy"))};
}

// Runs that have not got so far have none. What the journal gives is JSON; it may be another's.
Result<std::optional<Tables>> tables_of(const journal::Run& run) {
  if (run.result.empty() || run.result == "{}") return std::nullopt;
  return TRY(in_context(read_tables(run.result), "the journal's entry of run " + run.id +
                                                     " does not tell which tables it began with"));
}

// A position does not tell whether it is from before a split, and a split takes rows along; and a
// DUPLICATE request may have put rows of a new partition into its parent.
Result<void> check_same_tables(const journal::Run& run, const Tables& then, const Tables& now,
                               bool duplicates) {
  auto split = [](const std::string& table, int32_t before, int32_t after) {
    return table + "' has " + std::to_string(after) + " partitions instead of " +
           std::to_string(before);
  };
  std::string changed;
  if (then.source_app_id != now.source_app_id)
    changed = "source table '" + run.table + "' was made anew";
  else if (then.target_app_id != now.target_app_id)
    changed = "target table '" + run.to_table + "' was made anew";
  else if (then.source_partitions != now.source_partitions)
    changed = split("source table '" + run.table, then.source_partitions, now.source_partitions);
  else if (duplicates && then.target_partitions != now.target_partitions)
    changed = split("target table '" + run.to_table, then.target_partitions, now.target_partitions);
  if (changed.empty()) return {};
  return fail(Code::kRefused, changed + " since run " + run.id +
                                  " began; what it copied is no use any more: cancel it and begin "
                                  "another copy");
}

Result<client::DuplicateWrite> read_duplicate(const Json& in) {
  if (!in.is_object()) return fail(Code::kCorrupt, "'duplicate' must be an object");
  return client::DuplicateWrite{.cluster_id = int8_t(TRY(read_integer(in, "cluster_id", 1, 127))),
                                .timestamp_us = TRY(read_integer(in, "timestamp_us", 0, INT64_MAX)),
                                .verify_timetag = TRY(read_flag(in, "verify_timetag"))};
}

Result<CopyRequest> read_request(const Json& in) {
  if (!in.is_object()) return fail(Code::kCorrupt, "they are no JSON object");
  CopyRequest request{.from_metas = TRY(read_text(in, "from_metas")),
                      .to_metas = TRY(read_text(in, "to_metas"))};
  auto& options = request.options;
  options.table = TRY(read_text(in, "table"));
  options.to_table = TRY(read_text(in, "to_table"));
  options.create = TRY(read_flag(in, "create"));
  options.timeout = TRY(read_ms(in, "timeout_ms"));
  options.retry_for = TRY(read_ms(in, "retry_for_ms"));
  auto& pace = request.pace;
  pace.max_rows_per_second = TRY(read_integer(in, "max_rows_per_second", 0, kMostRate));
  pace.max_bytes_per_second =
      TRY(read_integer(in, "max_bytes_per_second", 0, kMostRate * 1'000'000));
  pace.adaptive = TRY(read_flag(in, "adaptive"));
  pace.latency_bound = TRY(read_ms(in, "latency_bound_ms"));
  options.into_nonempty = TRY(read_flag(in, "into_nonempty"));
  options.through = Through::kPlain;  // or as `duplicate` says
  options.live = TRY(read_flag(in, "live"));
  options.dual_written = TRY(read_flag(in, "dual_written"));
  if (in.contains("duplicate")) options.duplicate = TRY(read_duplicate(in["duplicate"]));
  if (!in.contains("rules")) return fail(Code::kCorrupt, "'rules' is missing");
  options.rules = TRY(copy_rules_from_json(in["rules"]));
  if (in.contains("partitions"))
    options.partitions = int32_t(TRY(read_integer(in, "partitions", 1, INT32_MAX)));
  return request;
}

// Of the source, a lane each.
// Errors: kInvalidArgument (a chosen one that the source has not).
Result<std::vector<int32_t>> partitions_of(const PreparedCopy& copy) {
  auto partitions = copy.options.rules.partitions;
  const auto count = copy.source->partition_count();
  for (auto partition : partitions)
    if (partition >= count)
      return fail(Code::kInvalidArgument, "table '" + copy.source->name() + "' has no partition " +
                                              std::to_string(partition) +
                                              ": its partitions are 0 to " +
                                              std::to_string(count - 1));
  if (!partitions.empty()) return partitions;
  partitions.resize(size_t(count));
  std::iota(partitions.begin(), partitions.end(), 0);
  return partitions;
}

// What a lane's position tells beside the rows that were written.
std::string detail_of(const rows::LaneState& state) {
  if (state.expired + state.kept + state.not_geo == 0) return "";
  return Json{{"expired", state.expired}, {"kept", state.kept}, {"not_geo", state.not_geo}}.dump();
}

journal::LanePosition position_of(int32_t partition, const rows::LaneState& state) {
  return {.lane = partition,
          .last_key = state.last_key,
          .rows = state.rows,
          .bytes = state.bytes,
          .done = state.done,
          .detail = detail_of(state)};
}

void read_detail(const std::string& detail, rows::LaneState& state) {
  auto in = Json::parse(detail, nullptr, false);
  if (!in.is_object()) return;  // there is none
  for (auto [key, to] :
       {std::pair("expired", &state.expired), {"kept", &state.kept}, {"not_geo", &state.not_geo}})
    if (in.contains(key) && in[key].is_number_integer()) *to = in[key].get<int64_t>();
}

Result<int64_t> parse_rate(std::string_view key, std::string_view value) {
  return in_context(base::parse_integer(value, 0, kMostRate), key);
}

}  // namespace

std::string to_json(const CopyRequest& request) {
  const auto& options = request.options;
  Json out{{"from_metas", request.from_metas},
           {"to_metas", request.to_metas},
           {"table", options.table},
           {"to_table", options.to_table},
           {"create", options.create},
           {"timeout_ms", options.timeout.count()},
           {"retry_for_ms", options.retry_for.count()},
           {"max_rows_per_second", request.pace.max_rows_per_second},
           {"max_bytes_per_second", request.pace.max_bytes_per_second},
           {"adaptive", request.pace.adaptive},
           {"latency_bound_ms", request.pace.latency_bound.count()},
           {"into_nonempty", options.into_nonempty},
           {"live", options.live},
           {"dual_written", options.dual_written},
           {"rules", to_json(options.rules)}};
  if (options.duplicate)
    out["duplicate"] = {{"cluster_id", options.duplicate->cluster_id},
                        {"timestamp_us", options.duplicate->timestamp_us},
                        {"verify_timetag", options.duplicate->verify_timetag}};
  if (options.partitions) out["partitions"] = *options.partitions;
  return out.dump();
}

Result<CopyRequest> copy_request_from_json(std::string_view text) {
  return in_context(read_request(Json::parse(text, nullptr, false)),
                    "the journal's options of a copy");
}

Result<void> apply_setting(rows::PaceOptions& pace, std::string_view key, std::string_view value) {
  if (key == "max-rows-per-second") {
    pace.max_rows_per_second = TRY(parse_rate(key, value));
  } else if (key == "max-megabytes-per-second") {
    pace.max_bytes_per_second = TRY(parse_rate(key, value)) * 1'000'000;
  } else if (key == "latency-bound") {
    pace.latency_bound = TRY(in_context(base::parse_duration(value), key));
  } else if (key == "full-speed") {
    if (value != "true" && value != "false")
      return fail(Code::kInvalidArgument,
                  "full-speed: true or false, not '" + std::string(value) + "'");
    pace.adaptive = value == "false";
  } else {
    return fail(Code::kInvalidArgument,
                "'" + std::string(key) +
                    "' is no setting of a copy; there are max-rows-per-second, "
                    "max-megabytes-per-second (0: no limit), latency-bound and full-speed");
  }
  return {};
}

std::vector<rows::LaneState> partitions_to_start(
    const std::vector<journal::LanePosition>& positions, int32_t partitions) {
  std::vector<rows::LaneState> states(static_cast<size_t>(partitions));
  for (const auto& position : positions) {
    if (position.lane < 0 || position.lane >= partitions) continue;
    auto& state = states[size_t(position.lane)];
    state.last_key = position.last_key;
    state.done = position.done;
    state.rows = position.rows;
    state.bytes = position.bytes;
    read_detail(position.detail, state);
  }
  return states;
}

CopyOptions options_to_go_on(const journal::Run& run, const CopyRequest& request) {
  auto options = request.options;
  auto tables = tables_of(run);
  if (tables && *tables) {  // rows may have been written
    options.create = false;
    options.into_nonempty = true;
  }
  // Before it had a result the run had made nothing: what stands there is another's.
  options.made_by_this_run = options.create && !run.result.empty();
  return options;
}

Task<CopyReport> run_copy(RunKeeper& run, Preflight preflight, rows::PaceOptions pace_options,
                          const async::StopSignal& stop, CopyRunEvents events) {
  auto& clock = preflight.source_cluster->client().clock();
  pace_options.most_at_once = preflight.options.pump.lanes_at_once;
  // Shared with the run, which listens until it ends.
  auto pace = std::make_shared<rows::Pace>(pace_options, clock, stop);
  CO_TRY(co_await run.begin([pace](const std::string& key, const std::string& value) {
    // Whoever set it has checked it; what a newer pegmove knows means nothing here.
    if (auto applied = apply_setting(pace->options(), key, value); !applied) return;
  }));
  auto then = CO_TRY(tables_of(run.run()));
  if (!then) CO_TRY(co_await run.set_result("{}"));  // from here on the target may be made
  auto copy = CO_TRY(co_await prepare_copy(std::move(preflight)));
  auto now = Tables::of(copy);
  if (then)
    CO_TRY(check_same_tables(run.run(), *then, now, copy.options.duplicate.has_value()));
  else
    CO_TRY(co_await run.set_result(to_json(now)));

  auto states = partitions_to_start(run.positions(), now.source_partitions);
  const auto lanes = CO_TRY(partitions_of(copy));
  auto& pump = copy.options.pump;
  for (auto partition : lanes) pump.start.push_back(std::move(states[size_t(partition)]));
  pump.pace = pace.get();
  pump.on_lane = [&run, &lanes](int lane, const rows::LaneState& state) {
    run.note(position_of(lanes[size_t(lane)], state));
  };
  auto report = CO_TRY(co_await copy_rows(copy, stop, [&](const CopyStatus& status) {
    run.set_reason(status.waits_for);
    if (events.on_copy) events.on_copy(status);
  }));
  CO_TRY(co_await finish_target(*copy.target, then.value_or(now).envs_after_copy,
                                copy.options.timeout));
  if (copy.options.live)
    report.live = CO_TRY(in_context(
        co_await compare::verify_and_repair_live(
            copy.source, copy.target, {.timeout = copy.options.timeout}, stop, events.on_verify),
        "the verification that ends a live copy"));
  co_return report;
}

}  // namespace pegmove::migration
