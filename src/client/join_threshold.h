// From how many rows on the rows of one hash key are written by one request (MULTI_PUT,
// MULTI_REMOVE) instead of one request a row (PUT, REMOVE).
//
// A real server joins the PUTs and REMOVEs that wait into one replicated mutation, and each
// MULTI_PUT and MULTI_REMOVE is a mutation of its own (Pegasus, src/replica/mutation.cpp,
// mutation_queue::add_work()). So many rows are faster in one request and few rows in one request
// each, and where the limit is depends on the cluster. It is measured while rows are written:
//
//   home    the threshold in use. The time of each batch, per row, is kept.
//   trial   now and then another threshold is used for some batches: the next one, up and down in
//           turn, that sends at least a twentieth of the rows the other way. If the batches take
//           clearly less time a row, it becomes the new home.
//
// What makes the comparison robust: medians, weighted by rows, so that a batch that waited for a
// restarted server or that has few rows does not count; only batches that were in flight with none
// of another threshold; and the times of whole batches, so that everything that a way of writing
// costs is in it.
//
// What keeps trials cheap: each waits until it costs at most about a tenth of what has been written
// meanwhile, if a request of joined rows takes as long as 2^home requests of one row. So 200
// rows of a hash key are not soon sent as 200 PUTs. After a trial that has not changed the
// threshold the next one waits 30 times as long as that one took, at most ten minutes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "async/clock.h"

namespace pegmove::client {

enum class Joins {
  kMeasured,  // as above; first from 8 rows on
  kAlways,    // from 2 rows on
  kNever,
};

// Groups of least_rows to most_rows were sent both ways. A batch with these groups joined took
// joined_to_alone times as long as one with a request for each of their rows.
struct JoinTrial {
  size_t least_rows = 0, most_rows = 0;
  double joined_to_alone = 1;
};

// How rows were sent.
struct JoinsUsed {
  int64_t rows_alone = 0;  // in a request each
  int64_t rows_joined = 0;
  int64_t joined_requests = 0;
  // From so many rows of a hash key on they are joined now; nullopt: never.
  std::optional<size_t> joined_from{};
  double joined_share = 0;  // of the last rows, with this threshold
  std::optional<JoinTrial> last_trial{};
};

// One for each table that is written to. All on one executor. The clock must outlive it, and it
// must outlive its batches.
class JoinThreshold {
 public:
  explicit JoinThreshold(const Clock& clock, Joins joins = Joins::kMeasured);
  JoinThreshold(const JoinThreshold&) = delete;
  JoinThreshold& operator=(const JoinThreshold&) = delete;

  // Rows that are written at the same time: from construction to destruction.
  class Batch {
   public:
    explicit Batch(JoinThreshold& threshold);
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch();

    // Whether a group of so many rows is sent in one request; counts the rows. Call it once for
    // each group that may be joined, also for single rows.
    bool joins(size_t rows);
    // Reports that all requests of the batch have succeeded. Without it the batch does not count.
    void written() { is_written_ = true; }

   private:
    friend JoinThreshold;
    static constexpr size_t kSizes = 9;  // 1, 2 to 3, 4 to 7, ... 256 and more rows

    JoinThreshold& threshold_;
    const int phase_;
    const bool is_alone_;  // no batch of another threshold was in flight when it began
    const int joined_from_;
    const async::Instant began_;
    std::array<int64_t, kSizes> rows_{};  // by the size of their group
    int64_t rows_alone_ = 0;
    int64_t joined_requests_ = 0;
    bool is_written_ = false;
  };

  JoinsUsed used() const;

 private:
  static constexpr int kNever = int(Batch::kSizes);

  // The last batches, as time per row.
  class Samples {
   public:
    void add(double time_per_row, double rows);
    void clear() { kept_.clear(); }
    // How many they are worth: as many as there are if all are equally large, fewer otherwise.
    double count() const;
    double median() const;

   private:
    struct Sample {
      double time_per_row, rows;
    };
    static constexpr size_t kMost = 48;
    std::vector<Sample> kept_;
  };

  // Thresholds are counted as sizes of groups are: t means from 2^t rows on, kNever not at all.
  int in_use() const { return trial_.value_or(home_); }
  void land(const Batch& batch);
  void count(const Batch& batch, int64_t rows);
  void change_phase();
  std::optional<int> next_threshold(bool upward) const;
  bool is_cheap(int threshold) const;
  std::optional<int> choose_trial();
  void begin_trial(int threshold);
  bool is_trial_over() const;
  void end_trial();

  const Clock& clock_;
  const Joins joins_;
  int home_;
  std::optional<int> trial_{};
  bool upward_ = false;  // the last trial
  Samples home_samples_, trial_samples_;
  // A phase ends when the threshold in use changes.
  int phase_ = 0;
  int in_flight_ = 0;         // batches of this phase
  int in_flight_before_ = 0;  // of earlier ones
  int landed_ = 0;            // batches since the last trial began or ended
  async::Instant trial_began_{}, next_trial_{};
  std::array<double, Batch::kSizes> recent_rows_{};  // by the size of their group
  JoinsUsed used_;
};

}  // namespace pegmove::client
