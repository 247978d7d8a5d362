#include "client/join_threshold.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace pegmove::client {
namespace {

// Seen on a real cluster with three replicas: with 4 rows PUTs are three times as fast, with 10
// rows MULTI_PUT is faster.
constexpr int kFirstThreshold = 3;  // 8 rows

constexpr double kHomeBatches = 24;     // are compared with those of a trial
constexpr double kTrialBatches = 12;    // end a trial
constexpr double kFewBatches = 4;       // are enough when the other way is clearly slower
constexpr double kClearlySlower = 1.5;  // times as long
constexpr double kClearlyFaster = 0.9;  // less is noise
constexpr int kMostTrialBatches = 128;  // that have landed: the comparison did not come about
constexpr int kPauseToTrial = 30;       // times as long as the trial took
constexpr std::chrono::minutes kLongestPauseToTrial{10};  // also when a server was away meanwhile
constexpr double kPriceOfTrial = 10;     // times the batches that a trial is expected to cost
constexpr double kNotableShare = 0.05;   // of the rows: fewer do not make a difference
constexpr double kOfBatchBefore = 0.95;  // what the sizes of groups still count a batch later

size_t size_of_group(size_t rows, size_t sizes) {
  return std::min(size_t(std::bit_width(rows)) - 1, sizes - 1);
}

int first_threshold(Joins joins, int never) {
  if (joins == Joins::kMeasured) return kFirstThreshold;
  return joins == Joins::kAlways ? 1 : never;
}

}  // namespace

JoinThreshold::JoinThreshold(const Clock& clock, Joins joins)
    : clock_(clock), joins_(joins), home_(first_threshold(joins, kNever)) {}

JoinThreshold::Batch::Batch(JoinThreshold& threshold)
    : threshold_(threshold),
      phase_(threshold.phase_),
      is_alone_(threshold.in_flight_before_ == 0),
      joined_from_(threshold.in_use()),
      began_(threshold.clock_.now()) {
  ++threshold_.in_flight_;
}

JoinThreshold::Batch::~Batch() { threshold_.land(*this); }

bool JoinThreshold::Batch::joins(size_t rows) {
  const auto size = size_of_group(rows, kSizes);
  rows_[size] += int64_t(rows);
  const bool is_joined = int(size) >= joined_from_;
  if (is_joined)
    ++joined_requests_;
  else
    rows_alone_ += int64_t(rows);
  return is_joined;
}

void JoinThreshold::land(const Batch& batch) {
  const bool is_current = batch.phase_ == phase_;
  --(is_current ? in_flight_ : in_flight_before_);
  ++landed_;
  const auto rows = std::accumulate(batch.rows_.begin(), batch.rows_.end(), int64_t{0});
  if (batch.is_written_ && rows > 0) {
    count(batch, rows);
    const std::chrono::duration<double, std::micro> took = clock_.now() - batch.began_;
    if (is_current && batch.is_alone_)
      (trial_ ? trial_samples_ : home_samples_).add(took.count() / double(rows), double(rows));
  }
  if (joins_ != Joins::kMeasured) return;
  if (trial_) {
    if (is_trial_over()) end_trial();
  } else if (home_samples_.count() >= kHomeBatches && clock_.now() >= next_trial_) {
    if (auto threshold = choose_trial()) begin_trial(*threshold);
  }
}

void JoinThreshold::count(const Batch& batch, int64_t rows) {
  used_.rows_alone += batch.rows_alone_;
  used_.rows_joined += rows - batch.rows_alone_;
  used_.joined_requests += batch.joined_requests_;
  for (size_t size = 0; size < recent_rows_.size(); ++size)
    recent_rows_[size] = recent_rows_[size] * kOfBatchBefore + double(batch.rows_[size]);
}

JoinsUsed JoinThreshold::used() const {
  auto used = used_;
  if (home_ < kNever) used.joined_from = size_t{1} << home_;
  const auto all = std::accumulate(recent_rows_.begin(), recent_rows_.end(), 0.0);
  if (all > 0)
    used.joined_share =
        std::accumulate(recent_rows_.begin() + home_, recent_rows_.end(), 0.0) / all;
  return used;
}

void JoinThreshold::change_phase() {
  ++phase_;
  in_flight_before_ += std::exchange(in_flight_, 0);
}

// The nearest one that makes a difference.
std::optional<int> JoinThreshold::next_threshold(bool upward) const {
  const auto notable =
      kNotableShare * std::accumulate(recent_rows_.begin(), recent_rows_.end(), 0.0);
  double moved = 0;
  for (int threshold = home_; upward ? threshold < kNever : threshold > 1;) {
    if (!upward) --threshold;
    moved += recent_rows_[size_t(threshold)];
    if (upward) ++threshold;
    if (moved >= notable) return threshold;
  }
  return std::nullopt;
}

// Of the groups that are sent the other way half have more than 2^(distance - 0.5) times as many
// rows as home, or as few. A trial is as many batches as are in flight, which do not count since
// batches of home are beside them; those that are compared; and those in flight at its end.
bool JoinThreshold::is_cheap(int threshold) const {
  const auto times_as_long = std::exp2(std::abs(threshold - home_) - 0.5);
  return landed_ >= kPriceOfTrial * (2 * in_flight_ + kTrialBatches) * (times_as_long - 1);
}

// None, for instance, when all rows have hash keys of their own.
std::optional<int> JoinThreshold::choose_trial() {
  for (const bool upward : {!upward_, upward_}) {
    const auto threshold = next_threshold(upward);
    if (!threshold || !is_cheap(*threshold)) continue;
    upward_ = upward;
    return threshold;
  }
  return std::nullopt;
}

void JoinThreshold::begin_trial(int threshold) {
  trial_ = threshold;
  trial_samples_.clear();
  trial_began_ = clock_.now();
  landed_ = 0;
  change_phase();
}

bool JoinThreshold::is_trial_over() const {
  if (landed_ >= kMostTrialBatches) return true;
  const auto count = trial_samples_.count();
  return count >= kTrialBatches ||
         (count >= kFewBatches &&
          trial_samples_.median() > kClearlySlower * home_samples_.median());
}

void JoinThreshold::end_trial() {
  const auto home_time = home_samples_.median(), trial_time = trial_samples_.median();
  const bool has_result = trial_samples_.count() >= kFewBatches && home_time > 0 && trial_time > 0;
  const auto threshold = *std::exchange(trial_, std::nullopt);
  const auto now = clock_.now();
  landed_ = 0;
  if (has_result)
    used_.last_trial = JoinTrial{
        .least_rows = size_t{1} << std::min(home_, threshold),
        .most_rows = (size_t{1} << std::max(home_, threshold)) - 1,
        .joined_to_alone = threshold < home_ ? trial_time / home_time : home_time / trial_time};
  if (has_result && trial_time < kClearlyFaster * home_time) {
    home_ = threshold;
    home_samples_ = std::exchange(trial_samples_, {});
    return;  // perhaps the next one is faster still
  }
  next_trial_ = now + std::min<async::Instant::duration>(kPauseToTrial * (now - trial_began_),
                                                         kLongestPauseToTrial);
  change_phase();
}

void JoinThreshold::Samples::add(double time_per_row, double rows) {
  if (kept_.size() == kMost) kept_.erase(kept_.begin());
  kept_.push_back({time_per_row, rows});
}

double JoinThreshold::Samples::count() const {
  double rows = 0, squares = 0;
  for (const auto& sample : kept_) {
    rows += sample.rows;
    squares += sample.rows * sample.rows;
  }
  return squares > 0 ? rows * rows / squares : 0;
}

double JoinThreshold::Samples::median() const {
  auto sorted = kept_;
  std::ranges::sort(sorted, {}, &Sample::time_per_row);
  double rows = 0;
  for (const auto& sample : sorted) rows += sample.rows;
  for (const auto& sample : sorted)
    if ((rows -= 2 * sample.rows) <= 0) return sample.time_per_row;
  return 0;
}

}  // namespace pegmove::client
