// Rows that differed while clients write: are they different, or was one side only late?
#pragma once

#include <string>
#include <vector>

#include "async/stop_signal.h"
#include "client/table.h"
#include "compare/row_fingerprint.h"

namespace pegmove::compare {

struct RecheckOptions {
  // How long after a write at the source the target may be without it: the lag of the duplication
  // or of the dual writes between the two.
  async::milliseconds lag{5'000};
  int reads = 3;                           // that must show the same difference; at least 2
  async::milliseconds settle_for{60'000};  // a row that changes for so long is given up
  size_t at_once = 64;                     // rows that are being read
  async::milliseconds timeout{30'000};     // of one request, retries included
};

// A row to look at again.
struct Candidate {
  std::string raw_key;
};

struct Rechecked {
  struct Row {
    DifferenceKind kind;
    std::string raw_key;
  };
  std::vector<Row> different;  // proven
  int64_t agreed = 0;
  int64_t not_settled = 0;
};

// Reads each candidate on both sides, again and again. It agrees as soon as both sides are the same
// in one pair of reads. It is proven different when `reads` pairs of reads, the first and the last
// of them at least `lag` apart, found each side unchanged and the two different: had a write been
// on its way, it would have arrived. What keeps changing until the deadline is not settled. A side
// is compared with itself exactly, the two by the rule. Memory: that of the candidates. Errors:
// kInterrupted, those of read_row().
Task<Rechecked> recheck(client::Table& source, client::Table& target,
                        std::vector<Candidate> candidates, RowRule rule, RecheckOptions options,
                        const async::StopSignal& stop);

}  // namespace pegmove::compare
