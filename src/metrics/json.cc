#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "metrics/exposition.h"

namespace pegmove::metrics {
namespace {

using Json = nlohmann::ordered_json;

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kCounter: return "Counter";
    case Kind::kGauge: return "Gauge";
    case Kind::kPercentile: return "Percentile";
  }
  return "";
}

Json metric_json(const MetricSnapshot& metric, const Fields& fields) {
  auto json = Json::object();
  auto add = [&](std::string_view field, auto value) {
    if (fields.empty() || fields.contains(std::string(field))) json[std::string(field)] = value;
  };
  add("type", kind_name(metric.info.kind));
  add("name", metric.name);
  add("unit", metric.info.unit);
  add("desc", metric.info.description);
  if (metric.info.kind != Kind::kPercentile) {
    add("value", metric.value);
  } else {
    for (size_t i = 0; i < kPercentileNames.size(); ++i)
      add(kPercentileNames[i], metric.percentiles[i]);
  }
  return json;
}

}  // namespace

Fields brief_fields() {
  Fields fields = {"name", "value"};
  for (auto name : kPercentileNames) fields.emplace(name);
  return fields;
}

std::string to_json(const Source& source, int64_t timestamp_ns,
                    std::span<const EntitySnapshot> entities, const Fields& fields) {
  auto list = Json::array();
  for (const auto& entity : entities) {
    auto metrics = Json::array();
    for (const auto& metric : entity.metrics) metrics.push_back(metric_json(metric, fields));
    auto attributes = Json::object();
    for (const auto& [name, value] : entity.attributes) attributes[name] = value;
    list.push_back(Json{{"type", entity.type},
                        {"id", entity.id},
                        {"attributes", std::move(attributes)},
                        {"metrics", std::move(metrics)}});
  }
  auto cluster = source.cluster.empty() ? "unknown" : source.cluster;
  Json json{{"cluster", cluster},  {"role", source.role},          {"host", source.host},
            {"port", source.port}, {"timestamp_ns", timestamp_ns}, {"entities", std::move(list)}};
  return base::json_text(json, -1, base::NoUtf8::kReplace);
}

}  // namespace pegmove::metrics
