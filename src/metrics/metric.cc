#include "metrics/metric.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace pegmove::metrics {

void Gauge::raise_to(int64_t value) {
  auto current = value_.load(std::memory_order_relaxed);
  while (current < value &&
         !value_.compare_exchange_weak(current, value, std::memory_order_relaxed)) {
  }
}

Percentile::~Percentile() { delete ring_.load(); }

Percentile::Ring& Percentile::ring() {
  if (auto* made = ring_.load(std::memory_order_acquire)) return *made;
  auto fresh = std::make_unique<Ring>();
  Ring* none = nullptr;
  if (ring_.compare_exchange_strong(none, fresh.get(), std::memory_order_acq_rel))
    return *fresh.release();
  return *none;  // another thread was faster
}

void Percentile::record(int64_t value) {
  auto& samples = ring();
  auto place = next_.fetch_add(1, std::memory_order_relaxed) % kSamples;
  samples[place].store(value, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::array<int64_t, 5> Percentile::values() const {
  std::array<int64_t, 5> found = {};
  const auto* samples = ring_.load(std::memory_order_acquire);
  auto size = size_t(std::min<uint64_t>(next_.load(std::memory_order_relaxed), kSamples));
  if (!samples || size == 0) return found;
  std::vector<int64_t> sorted(size);
  for (size_t i = 0; i < size; ++i) sorted[i] = (*samples)[i].load(std::memory_order_relaxed);
  std::ranges::sort(sorted);
  for (size_t i = 0; i < found.size(); ++i)
    found[i] = sorted[std::min(size - 1, size_t(double(size) * kPercentileFractions[i]))];
  return found;
}

}  // namespace pegmove::metrics
