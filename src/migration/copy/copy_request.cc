#include "migration/copy/copy_request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"
#include "migration/copy/copy_options_json.h"

namespace pegmove::migration {
namespace {

using SortedJson = nlohmann::json;

constexpr int64_t kMostRate = 1'000'000'000'000;

Result<client::DuplicateWrite> read_duplicate(const base::JsonFields& in) {
  return client::DuplicateWrite{.cluster_id = int8_t(TRY(in.integer("cluster_id", 1, 127))),
                                .timestamp_us = TRY(in.integer("timestamp_us", 0, INT64_MAX)),
                                .verify_timetag = TRY(in.boolean("verify_timetag"))};
}

Result<CopyRequest> read_copy_request(const SortedJson& json) {
  const auto in = TRY(base::JsonFields::of(json, "the journal's options of a copy"));
  CopyRequest request{.from_metas = TRY(in.text("from_metas")),
                      .to_metas = TRY(in.text("to_metas"))};
  auto& options = request.options;
  options.table = TRY(in.text("table"));
  options.to_table = TRY(in.text("to_table"));
  options.create = TRY(in.boolean("create"));
  options.timeout = TRY(in.milliseconds("timeout_ms"));
  options.retry_for = TRY(in.milliseconds("retry_for_ms"));
  auto& throttle = request.throttle;
  throttle.max_rows_per_second = TRY(in.integer("max_rows_per_second", 0, kMostRate));
  throttle.max_bytes_per_second = TRY(in.integer("max_bytes_per_second", 0, kMostRate * 1'000'000));
  throttle.adaptive = TRY(in.boolean("adaptive"));
  throttle.latency_bound = TRY(in.milliseconds("latency_bound_ms"));
  options.into_nonempty = TRY(in.boolean("into_nonempty"));
  options.through = Through::kPlain;  // or given by `duplicate`
  options.live = TRY(in.boolean("live"));
  options.dual_written = TRY(in.boolean("dual_written"));
  if (in.has("duplicate")) options.duplicate = TRY(read_duplicate(TRY(in.object("duplicate"))));
  options.rules = TRY(
      in_context(copy_rules_from_json(*TRY(in.any("rules"))), "the journal's options of a copy"));
  if (in.has("partitions"))
    options.partitions = int32_t(TRY(in.integer("partitions", 1, INT32_MAX)));
  return request;
}

Result<int64_t> parse_rate(std::string_view key, std::string_view value) {
  return in_context(base::parse_integer(value, 0, kMostRate), key);
}

}  // namespace

std::string to_json(const CopyRequest& request) {
  const auto& options = request.options;
  SortedJson out{{"from_metas", request.from_metas},
                 {"to_metas", request.to_metas},
                 {"table", options.table},
                 {"to_table", options.to_table},
                 {"create", options.create},
                 {"timeout_ms", options.timeout.count()},
                 {"retry_for_ms", options.retry_for.count()},
                 {"max_rows_per_second", request.throttle.max_rows_per_second},
                 {"max_bytes_per_second", request.throttle.max_bytes_per_second},
                 {"adaptive", request.throttle.adaptive},
                 {"latency_bound_ms", request.throttle.latency_bound.count()},
                 {"into_nonempty", options.into_nonempty},
                 {"live", options.live},
                 {"dual_written", options.dual_written},
                 {"rules", to_json(options.rules)}};
  if (options.duplicate)
    out["duplicate"] = {{"cluster_id", options.duplicate->cluster_id},
                        {"timestamp_us", options.duplicate->timestamp_us},
                        {"verify_timetag", options.duplicate->verify_timetag}};
  if (options.partitions) out["partitions"] = *options.partitions;
  return base::json_text(out);
}

Result<CopyRequest> copy_request_from_json(std::string_view text) {
  return read_copy_request(base::parse_json<SortedJson>(text));
}

Result<void> apply_setting(rows::ThrottleOptions& throttle, std::string_view key,
                           std::string_view value) {
  if (key == "max-rows-per-second") {
    throttle.max_rows_per_second = TRY(parse_rate(key, value));
  } else if (key == "max-megabytes-per-second") {
    throttle.max_bytes_per_second = TRY(parse_rate(key, value)) * 1'000'000;
  } else if (key == "latency-bound") {
    throttle.latency_bound = TRY(in_context(base::parse_duration(value), key));
  } else if (key == "full-speed") {
    if (value != "true" && value != "false")
      return fail(Code::kInvalidArgument,
                  fmt::format("full-speed: give true or false, not '{}'", value));
    throttle.adaptive = value == "false";
  } else {
    return fail(
        Code::kInvalidArgument,
        fmt::format("'{}' is not a setting of a copy; the settings are max-rows-per-second, "
                    "max-megabytes-per-second (0: no limit), latency-bound and full-speed",
                    key));
  }
  return {};
}

}  // namespace pegmove::migration
