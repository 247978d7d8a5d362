// The metrics of servers, as GET /metrics gives them (Pegasus: src/utils/metrics.h), for the
// commands that show how busy and how full a cluster is.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "client/cluster.h"

namespace pegmove::shell {

// Without its fraction; what 64 bits don't hold becomes the nearest that they do.
int64_t whole_number(double value);

// Which metrics to ask for.
struct MetricsQuery {
  std::string_view field = "value";          // what is wanted of each; "p99" for percentiles
  std::vector<std::string_view> types;       // of entities: "server", "replica", "disk", ...
  std::vector<std::string_view> names;       // of metrics
  std::vector<std::string> attributes = {};  // names and values in turn; any pair selects
};
// "/metrics?with_metric_fields=name,value&types=server&metrics=resident_mem_usage_mb"
std::string metrics_target(const MetricsQuery& query);

struct MetricEntity {
  std::string type;
  std::string id;
  std::map<std::string, std::string> attributes;
  std::map<std::string, double, std::less<>> values;  // by the names of metrics

  // 0 when there is no such metric.
  double value(std::string_view name) const;
  // By the attributes table_id and partition_id; app_id 0 when it has none.
  Gpid partition() const;
};

struct MetricsSample {
  std::string role;  // "meta" or "replica"
  int64_t timestamp_ns = 0;
  std::vector<MetricEntity> entities;
};

// Reads a reply; `field` is that of the query. Errors: kProtocol, naming what is wrong.
Result<MetricsSample> parse_metrics(std::string_view json, std::string_view field);

// Of all these servers at once, in their order. An error's message is the line that Pegasus's shell
// prints: "ERROR: query WHAT metrics from node HOST:PORT failed, ...".
Task<std::vector<Result<MetricsSample>>> fetch_metrics(client::Client& client,
                                                       std::vector<net::HostPort> nodes,
                                                       MetricsQuery query, std::string what,
                                                       Deadline deadline);

struct NodeSample {
  net::HostPort node;
  MetricsSample sample;
};
// Of the nodes that are alive, in order of their names. Fails when one of them does.
Task<std::vector<NodeSample>> sample_nodes(std::shared_ptr<client::Cluster> cluster,
                                           MetricsQuery query, std::string what, Deadline deadline);

// Two samples of each node, this long apart: counters only ever grow. Nodes that are there in one
// of the samples alone are left out.
struct NodeSamples {
  net::HostPort node;
  MetricsSample start, end;

  double seconds() const;  // between them, by the node's own clock; above 0
};
Task<std::vector<NodeSamples>> sample_nodes_twice(std::shared_ptr<client::Cluster> cluster,
                                                  MetricsQuery query, std::string what,
                                                  async::milliseconds interval);

// The replica servers that are alive, in order of their names.
Task<std::vector<net::HostPort>> alive_nodes(std::shared_ptr<client::Cluster> cluster,
                                             Deadline deadline);

}  // namespace pegmove::shell
