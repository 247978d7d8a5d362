// The end of a live copy: finds and repairs the rows that differ, while clients write.
#pragma once

#include "compare/repair.h"

namespace pegmove::compare {

struct LiveVerificationOptions {
  RecheckOptions recheck{};
  uint32_t expiry_tolerance_s = 0;
  bool delete_extra = false;  // rows that exist only in the target: when nobody else writes to it
  std::optional<client::DuplicateWrite> through_duplicate{};  // as Repair has it
  int most_rounds = 3;  // how often a row is repaired that is proven different again
  size_t most_listed = 1000;
  int classes_at_once = 8;
  async::milliseconds timeout{30'000};
};

struct LiveVerification {
  CompareReport found;    // before repair; its differences are proven
  RepairReport repaired;  // extras are only counted

  // Every row of the source that was proven different agrees now. Rows that exist only in the
  // target are counted in `repaired.extra_left`, and are not a failure of a copy.
  bool source_is_there() const {
    return found.not_settled + repaired.differ_now + repaired.not_settled == 0;
  }
  bool equal() const { return source_is_there() && repaired.extra_left == 0; }
};

// Verifies live, repairs the proven differences during the comparison, rechecks
// those rows, and repairs again what is then proven different, up to `most_rounds` times. Memory is
// bounded as in compare() and Repair. May be repeated. Errors: theirs.
Task<LiveVerification> verify_and_repair_live(
    std::shared_ptr<client::Table> source, std::shared_ptr<client::Table> target,
    LiveVerificationOptions options, const async::StopSignal& stop,
    std::function<void(const CompareCounts& so_far, async::milliseconds elapsed)> listener);

}  // namespace pegmove::compare
