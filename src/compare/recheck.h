// Decides for rows that differed while clients write: different, or was one side only late?
#pragma once

#include <string>
#include <vector>

#include "async/stop_signal.h"
#include "client/table.h"
#include "compare/row_fingerprint.h"

namespace pegmove::compare {

struct RecheckOptions {
  // How long after a write to the source it may be missing in the target: the lag of the
  // duplication or of the dual writes.
  async::milliseconds lag{5'000};
  int reads = 3;                           // that must find the same difference; at least 2
  async::milliseconds settle_for{60'000};  // a row that changes for longer is given up
  size_t at_once = 64;                     // rows that are being read
  async::milliseconds timeout{30'000};     // of one request, retries included
};

// A row to read again.
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

// Reads each candidate on both sides repeatedly. It agrees as soon as both sides are the same in
// one pair of reads. It is proven different when `reads` pairs of reads, the first and the last of
// them at least `lag` apart, found each side unchanged and the two different: a write in transit
// would have arrived. A row that keeps changing until the deadline counts as `not_settled`. A side
// is compared with itself exactly, and with the other by the rule. Memory: that of the candidates.
// Errors: kInterrupted, those of read_row().
Task<Rechecked> recheck(client::Table& source, client::Table& target,
                        std::vector<Candidate> candidates, RowRule rule, RecheckOptions options,
                        const async::StopSignal& stop);

}  // namespace pegmove::compare
