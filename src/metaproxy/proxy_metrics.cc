#include "metaproxy/proxy_metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <vector>

namespace pegmove::metaproxy {
namespace {

using Labels = std::map<std::string, std::string>;

// Routes may come and disappear: the tables beyond are counted together with those without a route.
constexpr size_t kMostTables = 4096;
constexpr auto kOtherTables = "other tables";

class Families {
 public:
  explicit Families(const Labels& common) : common_(common) {}

  void begin(std::string name, std::string help, prometheus::MetricType type) {
    list_.push_back({.name = std::move(name), .help = std::move(help), .type = type, .metric = {}});
  }
  void add(double value, Labels labels) {
    labels.insert(common_.begin(), common_.end());
    auto& family = list_.back();
    prometheus::ClientMetric metric;
    for (const auto& [name, text] : labels) metric.label.push_back({name, text});
    (family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) =
        value;
    family.metric.push_back(std::move(metric));
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(list_); }

 private:
  const Labels& common_;
  std::vector<prometheus::MetricFamily> list_;
};

}  // namespace

ProxyMetrics::OfTable& ProxyMetrics::of_table(const std::string* table) {
  if (!table) return other_tables_;
  if (const auto found = tables_.find(*table); found != tables_.end()) return found->second;
  return tables_.size() < kMostTables ? tables_[*table] : other_tables_;
}

std::string ProxyMetrics::text(const RouteTable& routes, size_t connections,
                               bool is_connected) const {
  using prometheus::MetricType;
  Families out(labels_);
  out.begin("client_connection_count", "Connections of clients", MetricType::Gauge);
  out.add(double(connections), {});
  out.begin("client_query_config_count", "Requests of clients for a table's partitions",
            MetricType::Counter);
  for (const auto& [table, counts] : tables_) out.add(double(counts.queries), {{"table", table}});
  if (other_tables_.queries > 0) out.add(double(other_tables_.queries), {{"table", kOtherTables}});
  out.begin("zk_request_count", "Reads of a table's node in ZooKeeper", MetricType::Counter);
  for (const auto& [table, counts] : tables_)
    out.add(double(counts.zookeeper_reads), {{"table", table}});
  if (other_tables_.zookeeper_reads > 0)
    out.add(double(other_tables_.zookeeper_reads), {{"table", kOtherTables}});

  out.begin("metaproxy_error_count", "Requests that were answered with an error",
            MetricType::Counter);
  for (const auto& [error, count] : errors_) out.add(double(count), {{"error", error}});
  out.begin("metaproxy_zookeeper_connected", "1: there is a connection to ZooKeeper",
            MetricType::Gauge);
  out.add(is_connected ? 1 : 0, {});
  out.begin("metaproxy_route_age_seconds",
            "Time since ZooKeeper last confirmed the route that is used", MetricType::Gauge);
  for (const auto& [table, known] : routes.known())
    out.add(double(routes.age_of(known).count()) / 1000,
            {{"table", table}, {"target_cluster", known.route.cluster}});
  out.begin("metaproxy_route_version", "ZooKeeper's version of the node that the route came from",
            MetricType::Gauge);
  for (const auto& [table, known] : routes.known())
    out.add(double(known.version), {{"table", table}, {"target_cluster", known.route.cluster}});
  out.begin("metaproxy_route_has_problem",
            "1: the route is kept although its node cannot be read or is wrong; /routes says why",
            MetricType::Gauge);
  for (const auto& [table, known] : routes.known())
    out.add(known.problem.empty() ? 0 : 1, {{"table", table}});
  return out.text();
}

}  // namespace pegmove::metaproxy
