// Metrics as text: the JSON of Pegasus's /metrics (src/utils/metrics.cpp) and Prometheus's format.
#pragma once

#include <span>
#include <string>

#include "metrics/registry.h"

namespace pegmove::metrics {

// The server that the metrics belong to.
struct Source {
  std::string cluster = {};
  std::string role = {};  // "meta", "replica"
  std::string host = {};
  uint16_t port = 0;
};

// The fields of a metric that are shown; empty = all (type, name, unit, desc, value or p50 ...).
using Fields = std::set<std::string>;
Fields brief_fields();  // name, value and the percentiles

// One compact object: {"cluster":...,"role":...,"host":...,"port":...,"timestamp_ns":...,
// "entities":[...]}. Bytes that are not UTF-8 are replaced.
std::string to_json(const Source& source, int64_t timestamp_ns,
                    std::span<const EntitySnapshot> entities, const Fields& fields);

// Prometheus's text format, version 0.0.4. A metric is named pegasus_<entity type>_<metric> and has
// the labels cluster, role, host, port, id and the attributes of its entity; percentiles are
// summaries.
std::string to_prometheus(const Source& source, std::span<const EntitySnapshot> entities);

}  // namespace pegmove::metrics
