#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "metrics/exposition.h"

namespace pegmove::metrics {
namespace {

prometheus::MetricType type_of(Kind kind) {
  switch (kind) {
    case Kind::kCounter: return prometheus::MetricType::Counter;
    case Kind::kGauge: return prometheus::MetricType::Gauge;
    case Kind::kPercentile: return prometheus::MetricType::Summary;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric::Summary summary_of(const MetricSnapshot& metric) {
  prometheus::ClientMetric::Summary summary;
  summary.sample_count = uint64_t(metric.count);
  summary.sample_sum = double(metric.sum);
  for (size_t i = 0; i < kPercentileFractions.size(); ++i)
    summary.quantile.push_back(
        {.quantile = kPercentileFractions[i], .value = double(metric.percentiles[i])});
  return summary;
}

prometheus::ClientMetric client_metric(const MetricSnapshot& metric,
                                       const std::vector<prometheus::ClientMetric::Label>& labels) {
  prometheus::ClientMetric out;
  out.label = labels;
  switch (metric.info.kind) {
    case Kind::kCounter: out.counter.value = double(metric.value); break;
    case Kind::kGauge: out.gauge.value = double(metric.value); break;
    case Kind::kPercentile: out.summary = summary_of(metric); break;
  }
  return out;
}

std::vector<prometheus::ClientMetric::Label> labels_of(const Source& source,
                                                       const EntitySnapshot& entity) {
  std::vector<prometheus::ClientMetric::Label> labels = {{"cluster", source.cluster},
                                                         {"role", source.role},
                                                         {"host", source.host},
                                                         {"port", std::to_string(source.port)},
                                                         {"id", entity.id}};
  for (const auto& [name, value] : entity.attributes) labels.push_back({name, value});
  return labels;
}

}  // namespace

std::string to_prometheus(const Source& source, std::span<const EntitySnapshot> entities) {
  std::map<std::string, prometheus::MetricFamily> families;  // by name: one # TYPE line each
  for (const auto& entity : entities) {
    auto labels = labels_of(source, entity);
    for (const auto& metric : entity.metrics) {
      auto name = "pegasus_" + entity.type + "_" + metric.name;
      auto& family = families[name];
      family.name = name;
      family.help = metric.info.description;
      family.type = type_of(metric.info.kind);
      family.metric.push_back(client_metric(metric, labels));
    }
  }
  std::vector<prometheus::MetricFamily> list;
  for (auto& [name, family] : families) list.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(list);
}

}  // namespace pegmove::metrics
