#include "shell/histogram.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>

namespace pegmove::shell {
namespace {

// The upper limits of the buckets: each half as much again as the one before, cut to two digits.
std::vector<uint64_t> make_limits() {
  std::vector<uint64_t> limits{1, 2};
  constexpr double kMost = double(UINT64_MAX);
  for (double limit = 2 * 1.5; limit <= kMost; limit *= 1.5) {
    auto digits = uint64_t(limit);
    uint64_t power_of_ten = 1;
    for (; digits / 10 > 10; digits /= 10) power_of_ten *= 10;
    limits.push_back(digits * power_of_ten);
  }
  return limits;
}

const std::vector<uint64_t>& limits() {
  static const auto kLimits = make_limits();
  return kLimits;
}

uint64_t lower_limit(size_t bucket) { return bucket == 0 ? 0 : limits()[bucket - 1]; }

}  // namespace

Histogram::Histogram() : buckets_(limits().size()) {}

void Histogram::add(uint64_t value) {
  auto bucket = std::ranges::lower_bound(limits(), value) - limits().begin();
  ++buckets_[std::min(size_t(bucket), buckets_.size() - 1)];
  ++count_;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += double(value);
  sum_of_squares_ += double(value) * double(value);
}

double Histogram::percentile(double percent) const {
  auto wanted = double(count_) * (percent / 100.0);
  uint64_t below = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    auto here = buckets_[i];
    if (double(below + here) < wanted) {
      below += here;
      continue;
    }
    auto place = here == 0 ? 0 : (wanted - double(below)) / double(here);
    auto value = double(lower_limit(i)) + double(limits()[i] - lower_limit(i)) * place;
    value = std::max(value, double(min_));
    return std::min(value, double(max_));
  }
  return double(max_);
}

double Histogram::average() const { return count_ == 0 ? 0 : sum_ / double(count_); }

double Histogram::standard_deviation() const {
  if (count_ == 0) return 0;
  auto n = double(count_);
  return std::sqrt(std::max((sum_of_squares_ * n - sum_ * sum_) / (n * n), 0.0));
}

std::string Histogram::to_text() const {
  char line[400];
  std::snprintf(line, sizeof line,
                "Count: %" PRIu64
                " Average: %.4f  StdDev: %.2f\n"
                "Min: %" PRIu64 "  Median: %.4f  Max: %" PRIu64
                "\n"
                "Percentiles: P50: %.2f P75: %.2f P99: %.2f P99.9: %.2f P99.99: %.2f\n",
                count_, average(), standard_deviation(), count_ == 0 ? 0 : min_, percentile(50),
                max_, percentile(50), percentile(75), percentile(99), percentile(99.9),
                percentile(99.99));
  std::string text = line;
  text += "------------------------------------------------------\n";
  if (count_ == 0) return text;
  auto percent = 100.0 / double(count_);
  uint64_t total = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i] == 0) continue;
    total += buckets_[i];
    auto share = percent * double(buckets_[i]);
    std::snprintf(line, sizeof line,
                  "%c %7" PRIu64 ", %7" PRIu64 " ] %8" PRIu64 " %7.3f%% %7.3f%% ",
                  i == 0 ? '[' : '(', lower_limit(i), limits()[i], buckets_[i], share,
                  percent * double(total));
    text += line;
    text.append(size_t(share / 5 + 0.5), '#');  // 20 marks are all
    text += '\n';
  }
  return text;
}

}  // namespace pegmove::shell
