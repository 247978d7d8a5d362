// Repair: makes rows of the target equal to those of the source, one by one, with a client's
// writes.
#pragma once

#include <vector>

#include "async/semaphore.h"
#include "client/duplicate_write.h"
#include "compare/compare.h"

namespace pegmove::compare {

struct RepairOptions {
  bool delete_extra = false;  // delete rows that exist only in the target
  bool dry_run = false;       // only report what would be done
  RowRule rule{};
  // While clients write: a repaired row is read again like a candidate before it counts, and
  // repaired again when it is proven different, `most_rounds` times in all.
  std::optional<RecheckOptions> live{};
  int most_rounds = 3;
  // Writes rows as a cluster that duplicates does (client/duplicate_write.h), so that no
  // duplication ships them on; with its verify_timetag a row that is newer than its time is kept.
  // Rows are then removed by an expired row, since a remove has no time.
  std::optional<client::DuplicateWrite> through_duplicate{};
  size_t at_once = 32;                  // rows in progress
  size_t most_listed = 1000;            // rows that still differ
  async::milliseconds timeout{30'000};  // of one request, retries included
};

// Counts rows by what was found when they were read again, just before writing.
struct RepairReport {
  int64_t looked_at = 0;
  int64_t agreed_before = 0;  // nothing to do: the list was out of date, or a client was faster
  int64_t missing = 0;        // written (dry_run: would be); so are the next three
  int64_t value = 0;
  int64_t expiry = 0;
  int64_t extra_deleted = 0;
  int64_t extra_left = 0;          // without delete_extra
  int64_t agree_now = 0;           // of those written or deleted, when they were read back
  int64_t differ_now = 0;          // and those that did not agree
  int64_t not_settled = 0;         // live: kept changing
  std::vector<Difference> left{};  // the first that differ, extras among them

  int64_t repaired() const { return missing + value + expiry + extra_deleted; }
  bool all_agree() const { return extra_left + differ_now + not_settled == 0; }
};

// Repairs the given rows, in chunks, with bounded memory. The listed kind of a difference does not
// count: both sides are read again, and the source's row is written (PUT, with its absolute expiry;
// unless asked for, not through DUPLICATE, and not with an old time), or an extra row of the target
// is deleted, if that is allowed.
//
// While clients write to the target, a row can change between that read and the write, which takes
// one round trip: the client's value is then overwritten by the source's. When writes to the source
// also reach the target (a duplication, dual writes), the newer value may be overwritten by the one
// that was just read; reading back finds that, and with `live` the row is repaired again.
//
// A row without expiry gets the target's default_ttl, if the target has one, and is then reported
// as different. Safe to repeat. The tables and the stop signal must outlive this.
class Repair : public DifferenceSink {
 public:
  Repair(TablePair tables, RepairOptions options, const async::StopSignal& stop);

  // May repair rows that were taken before. Errors: kInterrupted, those of client/table.h.
  Task<> take(Difference difference) override;
  // Repairs all rows that were taken. After a failure it always fails.
  Task<> flush() override;
  const RepairReport& report() const { return report_; }

 private:
  Task<std::vector<std::string>> repair_rows(const std::vector<std::string>& keys,
                                             bool first_round);
  Task<bool> repair_row(std::string raw_key, bool first_round);
  Task<> write(std::string_view raw_key, std::string value, uint32_t expire_ts, Deadline deadline);
  Task<bool> repair_extra(std::string raw_key, Deadline deadline, bool first_round);
  Task<> flush_taken();
  Task<std::vector<Rechecked::Row>> read_back(std::vector<std::string> keys);
  Task<std::vector<Rechecked::Row>> read_back_live(std::vector<std::string> keys);
  void leave(DifferenceKind kind, std::string_view raw_key);

  TablePair tables_;
  RepairOptions options_;
  const async::StopSignal& stop_;
  Clock& clock_;
  RepairReport report_;
  std::vector<std::string> taken_;  // raw keys
  size_t taken_bytes_ = 0;
  async::Semaphore flushing_{1};
  std::optional<Error> failed_;
};

}  // namespace pegmove::compare
