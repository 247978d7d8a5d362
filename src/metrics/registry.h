// Metrics grouped by what they measure: a server, a replica, a disk, a table. Pegasus:
// src/utils/metrics.h (metric_entity, metric_registry).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "metrics/metric.h"

namespace pegmove::metrics {

using Attributes = std::map<std::string, std::string>;

// Selects entities and metrics; empty = all. The lists are those of the parameters of Pegasus's
// /metrics.
struct Filters {
  std::set<std::string> types = {};
  std::set<std::string> ids = {};
  std::vector<std::pair<std::string, std::string>> attributes = {};  // one match is enough
  std::set<std::string> metrics = {};
};

struct MetricSnapshot {
  MetricInfo info;
  std::string name;  // info.name, or the requested old name
  int64_t value = 0;
  std::array<int64_t, 5> percentiles = {};  // of a percentile, as kPercentileNames
  int64_t count = 0;                        // likewise
  int64_t sum = 0;
};

struct EntitySnapshot {
  std::string type;
  std::string id;
  Attributes attributes;
  std::vector<MetricSnapshot> metrics;
};

// A name from before Pegasus 2.5 under which a metric can still be requested.
struct OldName {
  std::string_view old_name;
  std::string_view entity_type;
  std::string_view metric;
};

// The metrics of one thing. Safe from any thread. The returned metrics exist as long as the entity;
// the same name returns the same metric.
class Entity {
 public:
  Entity(std::string type, std::string id, Attributes attributes);

  const std::string& type() const { return type_; }
  const std::string& id() const { return id_; }
  const Attributes& attributes() const { return attributes_; }

  // A name has one kind (base::check()).
  Counter& counter(const MetricInfo& info) { return metric<Counter>(info); }
  Gauge& gauge(const MetricInfo& info) { return metric<Gauge>(info); }
  Percentile& percentile(const MetricInfo& info) { return metric<Percentile>(info); }

  // In the order in which the metrics were created; those of old names last. `metrics` is empty
  // when the entity or none of its metrics is selected.
  EntitySnapshot snapshot(const Filters& filters, const std::vector<OldName>& old_names) const;

 private:
  struct Metric {
    MetricInfo info;
    std::variant<Counter, Gauge, Percentile> value;

    template <typename T>
    Metric(const MetricInfo& info, std::in_place_type_t<T> type) : info(info), value(type) {}
    MetricSnapshot snapshot(std::string_view name) const;
  };
  template <typename T>
  T& metric(const MetricInfo& info);
  bool is_wanted(const Filters& filters) const;

  const std::string type_;
  const std::string id_;
  const Attributes attributes_;
  mutable std::mutex mutex_;  // guards the list, not what it points to
  std::vector<std::unique_ptr<Metric>> metrics_;
};

// The entities of one server. Safe from any thread.
class Registry {
 public:
  // A new entity; it is listed until its last owner releases it. It replaces an older one with the
  // same id.
  std::shared_ptr<Entity> add(std::string type, std::string id, Attributes attributes);
  void add_old_names(std::span<const OldName> names);

  // The selected entities, by id; those without selected metrics are left out.
  std::vector<EntitySnapshot> snapshot(const Filters& filters) const;

 private:
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::weak_ptr<Entity>> entities_;
  std::vector<OldName> old_names_;
};

}  // namespace pegmove::metrics
