// The comparison of one residue class: the partitions of both sides whose rows can have the same
// keys.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "async/stop_signal.h"
#include "compare/merged_scan.h"
#include "compare/recheck.h"
#include "compare/sample.h"

namespace pegmove::compare {

// The position of a class: every row up to `last_key` is compared and counted.
struct ResidueClassState {
  std::string last_key{};  // raw key; empty: nothing yet
  CompareCounts counts{};
  std::vector<Difference> listed{};  // the first differences
  bool done = false;
};

// What the classes of one comparison share. Must outlive them.
struct ResidueClassContext {
  std::shared_ptr<client::Table> source;  // shared with the scans
  std::shared_ptr<client::Table> target;
  int classes = 1;
  RowRule rule{};
  std::optional<SampleOptions> sample{};
  std::optional<RecheckOptions> live{};
  size_t most_listed = 0;  // of a class
  async::milliseconds timeout{30'000};
  async::milliseconds note_every{1'000};
  DifferenceSink* sink = nullptr;
  // A class has made progress; called at most once per note_every, and at the end.
  std::function<void(int number, const ResidueClassState& state)> on_state{};
};

class ResidueClassComparison {
 public:
  // Resumes after `state.last_key`. The state must outlive this; others read it meanwhile.
  ResidueClassComparison(const ResidueClassContext& context, int number, ResidueClassState& state,
                         const async::StopSignal& stop);
  // Errors: kInterrupted, those of the scans, of read_row(), of the sink.
  Task<> run();

 private:
  struct Pair {
    MergedScan source;
    MergedScan target;
    const wire::KeyValueView* left = nullptr;
    const wire::KeyValueView* right = nullptr;

    bool at_end() const { return !left && !right; }
    std::string_view least_key() const;
  };

  Pair open(const std::string& after, int32_t first_batch_rows, int32_t most_batch_rows) const;
  static Task<> begin(Pair& pair);
  Task<> walk(Pair& pair, int64_t most_rows);
  void count_foreign(Pair& pair);
  Task<> run_slices();
  Task<> find_different(DifferenceKind kind, std::string_view raw_key);
  Task<> prove(DifferenceKind kind, std::string_view raw_key);
  Task<> recheck_candidates();
  Task<> note(bool at_once);

  const ResidueClassContext& context_;
  int number_;
  ResidueClassState& state_;
  const async::StopSignal& stop_;
  Clock& clock_;
  std::string last_key_;  // compared; stored in the state when nothing before it is pending
  std::vector<Candidate> candidates_;
  size_t candidate_bytes_ = 0;
  async::Instant first_candidate_{};
  async::Instant next_note_{};
  LearnedKeys learned_;  // sampled
  int64_t walked_ = 0;   // rows of both sides, in this walk
};

}  // namespace pegmove::compare
