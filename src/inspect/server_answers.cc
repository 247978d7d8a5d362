#include "inspect/server_answers.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/ini.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/text.h"
#include "base/units.h"

namespace pegmove::inspect {
namespace {

using nlohmann::json;

constexpr size_t kShownBytes = 80;

std::unexpected<Error> malformed(const std::string& what, std::string_view body) {
  return fail(Code::kProtocol,
              fmt::format("answers {}: {}", what, base::printable(body.substr(0, kShownBytes))));
}

Result<json> parse_object(std::string_view body) {
  auto parsed = base::parse_json<json>(body);
  if (!parsed.is_object()) return malformed("no JSON object", body);
  return parsed;
}

// Removes the number at the beginning of the text and returns it.
std::optional<int> take_number(std::string_view& text) {
  auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  auto number = base::parse_integer(text.substr(0, digits), 0, 9999);
  if (!number) return std::nullopt;
  text.remove_prefix(digits);
  return int(*number);
}

}  // namespace

Result<ServerVersion> parse_version(std::string_view body) {
  auto object = TRY(parse_object(body));
  ServerVersion version{.text = base::text_in(object, "Version")};
  std::string_view text = version.text;
  auto major = take_number(text);
  if (!major || !text.starts_with('.')) return malformed("no version", body);
  text.remove_prefix(1);
  auto minor = take_number(text);
  if (!minor) return malformed("no version", body);
  version.major = *major;
  version.minor = *minor;
  version.text = base::printable(version.text.substr(0, kShownBytes));
  return version;
}

std::optional<int> ServerConfig::id_of(const std::string& cluster) const {
  auto found = duplication_group.find(cluster);
  if (found == duplication_group.end()) return std::nullopt;
  return found->second;
}

Result<ServerConfig> parse_config_dump(std::string_view text) {
  auto sections = TRY(base::parse_ini(text, {.skips_unknown_lines = true}));
  sections.erase("");
  if (sections.empty()) return malformed("no configuration", text);
  ServerConfig config;
  auto& replication = sections["replication"];
  auto& security = sections["security"];
  config.cluster_name = replication["dup_cluster_name"];
  if (config.cluster_name.empty()) config.cluster_name = replication["cluster_name"];
  config.ignores_other_ids = replication["dup_ignore_other_cluster_ids"] == "true";
  config.cold_backup_root = replication["cold_backup_root"];
  config.enable_acl = security["enable_acl"] == "true";
  config.enable_ranger_acl = security["enable_ranger_acl"] == "true";
  config.clusters = sections["pegasus.clusters"];
  for (const auto& [name, value] : sections["duplication-group"])
    config.duplication_group[name] =
        int(TRY(in_context(base::parse_integer(value, 1, 127), "[duplication-group] " + name)));
  return config;
}

Result<std::map<int32_t, int>> parse_data_versions(std::string_view body) {
  std::map<int32_t, int> versions;
  for (const auto& [key, value] : TRY(parse_object(body)).items()) {
    auto index = base::parse_integer(key, 0, INT32_MAX);
    auto version = value.is_object()
                       ? base::parse_integer(base::text_in(value, "data_version"), 0, 1'000'000)
                       : fail(Code::kProtocol, "");
    if (!index || !version) return malformed("no data versions", body);
    versions[int32_t(*index)] = int(*version);
  }
  return versions;
}

Result<MetricsAnswer> parse_metrics(std::string_view body) {
  auto object = TRY(parse_object(body));
  auto timestamp = object.find("timestamp_ns");
  if (timestamp == object.end() || !timestamp->is_number_integer())
    return malformed("metrics without timestamp_ns", body);
  MetricsAnswer answer{.timestamp_us = timestamp->get<int64_t>() / 1000};
  auto entities = object.find("entities");
  if (entities == object.end() || !entities->is_array())
    return malformed("metrics without entities", body);
  for (const auto& entity : *entities) {
    auto metrics = entity.is_object() ? entity.find("metrics") : entity.end();
    if (!entity.is_object() || metrics == entity.end() || !metrics->is_array()) continue;
    for (const auto& metric : *metrics)
      if (metric.is_object() && metric.contains("value") && metric["value"].is_number_integer())
        answer.sum += std::max<int64_t>(metric["value"].get<int64_t>(), 0);
  }
  return answer;
}

Result<PartitionMetrics> parse_partition_metrics(std::string_view body) {
  const auto object = TRY(parse_object(body));
  const auto entities = object.find("entities");
  if (entities == object.end() || !entities->is_array())
    return malformed("metrics without entities", body);
  PartitionMetrics partitions;
  for (const auto& entity : *entities) {
    if (!entity.is_object() || !entity.contains("attributes") || !entity.contains("metrics"))
      continue;
    const auto &attributes = entity["attributes"], &metrics = entity["metrics"];
    if (!attributes.is_object() || !metrics.is_array()) continue;
    const auto index = base::parse_integer(base::text_in(attributes, "partition_id"), 0, INT32_MAX);
    if (!index) continue;
    auto& values = partitions[int32_t(*index)];
    for (const auto& metric : metrics)
      if (metric.is_object() && metric.contains("value") && metric["value"].is_number_integer())
        values[base::text_in(metric, "name")] =
            std::max<int64_t>(metric["value"].get<int64_t>(), 0);
  }
  return partitions;
}

Result<std::vector<DuplicationInfo>> parse_duplications(std::string_view body) {
  if (base::trim(body) == "null") return std::vector<DuplicationInfo>{};  // there are none
  std::vector<DuplicationInfo> duplications;
  for (const auto& [key, value] : TRY(parse_object(body)).items()) {
    if (!value.is_object()) continue;  // "appid"
    DuplicationInfo info{base::text_in(value, "remote"), base::text_in(value, "remote_app_name"),
                         base::text_in(value, "status")};
    if (info.remote.empty()) return malformed("a duplication without remote", body);
    if (info.status != "DS_REMOVED") duplications.push_back(std::move(info));
  }
  return duplications;
}

}  // namespace pegmove::inspect
