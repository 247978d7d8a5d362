// Metrics: counters, gauges and percentiles. All are safe from any thread and cheap enough for the
// path of every request.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pegmove::metrics {

enum class Kind { kCounter, kGauge, kPercentile };

// What a metric is, without its value. The texts must stay valid until the program ends.
struct MetricInfo {
  std::string_view name;
  Kind kind = Kind::kCounter;
  std::string_view unit;         // as Pegasus spells it: "Requests", "NanoSeconds"
  std::string_view description;  // shown to users
};

// Only grows, from the start of the process.
class Counter {
 public:
  void add(int64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_ = 0;
};

// A value that goes up and down.
class Gauge {
 public:
  void set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void raise_to(int64_t value);  // sets it if it is larger than the current value
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_ = 0;
};

inline constexpr std::array<std::string_view, 5> kPercentileNames = {"p50", "p90", "p95", "p99",
                                                                     "p999"};
inline constexpr std::array<double, 5> kPercentileFractions = {0.5, 0.9, 0.95, 0.99, 0.999};

// The percentiles of the last kSamples values that were recorded, exact over those: a bounded ring
// of samples, as in Pegasus (src/utils/metrics.h, percentile), which has 4096. The memory of a ring
// (8 KiB) is allocated with the first value.
class Percentile {
 public:
  static constexpr size_t kSamples = 1024;

  Percentile() = default;
  Percentile(const Percentile&) = delete;
  Percentile& operator=(const Percentile&) = delete;
  ~Percentile();

  void record(int64_t value);
  // In the order of kPercentileNames; zeros when nothing was recorded.
  std::array<int64_t, 5> values() const;
  int64_t count() const { return int64_t(next_.load(std::memory_order_relaxed)); }
  int64_t sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  using Ring = std::array<std::atomic<int64_t>, kSamples>;
  Ring& ring();

  std::atomic<Ring*> ring_ = nullptr;  // owned; set once
  std::atomic<uint64_t> next_ = 0;     // how many were recorded
  std::atomic<int64_t> sum_ = 0;
};

}  // namespace pegmove::metrics
