#include "metrics/registry.h"

#include <algorithm>

#include "base/check.h"

namespace pegmove::metrics {

Entity::Entity(std::string type, std::string id, Attributes attributes)
    : type_(std::move(type)), id_(std::move(id)), attributes_(std::move(attributes)) {}

template <typename T>
T& Entity::metric(const MetricInfo& info) {
  std::lock_guard lock(mutex_);
  auto found = std::ranges::find(metrics_, info.name, [](const auto& m) { return m->info.name; });
  if (found == metrics_.end()) {
    metrics_.push_back(std::make_unique<Metric>(info, std::in_place_type<T>));
    found = metrics_.end() - 1;
  }
  auto* value = std::get_if<T>(&(*found)->value);
  if (!value) base::fail_check("a metric has one kind: " + std::string(info.name));
  return *value;
}
template Counter& Entity::metric(const MetricInfo&);
template Gauge& Entity::metric(const MetricInfo&);
template Percentile& Entity::metric(const MetricInfo&);

MetricSnapshot Entity::Metric::snapshot(std::string_view name) const {
  MetricSnapshot taken;
  taken.info = info;
  taken.name = name;
  if (const auto* percentile = std::get_if<Percentile>(&value)) {
    taken.percentiles = percentile->values();
    taken.count = percentile->count();
    taken.sum = percentile->sum();
  } else if (const auto* counter = std::get_if<Counter>(&value)) {
    taken.value = counter->value();
  } else {
    taken.value = std::get<Gauge>(value).value();
  }
  return taken;
}

bool Entity::is_wanted(const Filters& filters) const {
  if (!filters.types.empty() && !filters.types.contains(type_)) return false;
  if (!filters.ids.empty() && !filters.ids.contains(id_)) return false;
  if (filters.attributes.empty()) return true;
  return std::ranges::any_of(filters.attributes, [this](const auto& wanted) {
    auto found = attributes_.find(wanted.first);
    return found != attributes_.end() && found->second == wanted.second;
  });
}

EntitySnapshot Entity::snapshot(const Filters& filters,
                                const std::vector<OldName>& old_names) const {
  EntitySnapshot taken{.type = type_, .id = id_, .attributes = attributes_, .metrics = {}};
  if (!is_wanted(filters)) return taken;
  std::lock_guard lock(mutex_);
  for (const auto& metric : metrics_)
    if (filters.metrics.empty() || filters.metrics.contains(std::string(metric->info.name)))
      taken.metrics.push_back(metric->snapshot(metric->info.name));
  for (const auto& old : old_names) {
    if (old.entity_type != type_ || !filters.metrics.contains(std::string(old.old_name))) continue;
    for (const auto& metric : metrics_)
      if (metric->info.name == old.metric) taken.metrics.push_back(metric->snapshot(old.old_name));
  }
  return taken;
}

std::shared_ptr<Entity> Registry::add(std::string type, std::string id, Attributes attributes) {
  auto entity = std::make_shared<Entity>(std::move(type), id, std::move(attributes));
  std::lock_guard lock(mutex_);
  entities_.insert_or_assign(std::move(id), entity);
  return entity;
}

void Registry::add_old_names(std::span<const OldName> names) {
  std::lock_guard lock(mutex_);
  old_names_.insert(old_names_.end(), names.begin(), names.end());
}

std::vector<EntitySnapshot> Registry::snapshot(const Filters& filters) const {
  std::vector<std::shared_ptr<Entity>> living;
  std::vector<OldName> old_names;
  {
    std::lock_guard lock(mutex_);
    old_names = old_names_;
    std::erase_if(entities_, [&](const auto& entry) {
      auto entity = entry.second.lock();
      if (!entity) return true;
      living.push_back(std::move(entity));
      return false;
    });
  }
  std::vector<EntitySnapshot> taken;
  for (const auto& entity : living) {
    auto one = entity->snapshot(filters, old_names);
    if (!one.metrics.empty()) taken.push_back(std::move(one));
  }
  return taken;
}

}  // namespace pegmove::metrics
