// Scans: rows of one partition in order of their raw keys, batch by batch.
#pragma once

#include "client/foreign_rows.h"
#include "client/operations.h"
#include "client/partition_router.h"
#include "wire/row_messages.h"

namespace pegmove::client {

// A range of raw keys (record/key.h). An empty stop is before every key: there is nothing to scan.
struct ScanRange {
  std::string start;
  std::string stop;
  bool start_inclusive = true;
  bool stop_inclusive = false;
};

// Rows as they were received: `rows` and `last_key` point into `bytes`.
struct ScanBatch {
  SharedBytes bytes;
  std::vector<wire::KeyValueView> rows;
  int64_t count = 0;                  // rows.size(), or the count that was returned instead of rows
  std::vector<ForeignRow> foreign{};  // that were received and left out of `rows`, in their order
  std::string_view last_key{};        // of all that were received; empty: there were none

  int64_t received() const { return int64_t(rows.size() + foreign.size()); }
};

// Survives changes of the partition: when the server no longer knows the scan (restart, five idle
// minutes, another primary), it continues after the last row that it returned. A row is returned
// once. A scan sees each row's state at some moment between its beginning and the row's return.
// When a reply is too large it requests fewer rows and continues. All on the client's executor; one
// next() at a time.
//
// A scan of a whole partition leaves out foreign rows (foreign_rows.h) and returns their keys
// apart, unless ScanOptions::validate_partition_hash is false. It fails with kRefused while the
// table is split: until that has ended a partition may hold rows of another.
class Scanner {
 public:
  Scanner(std::shared_ptr<PartitionRouter> router, Target target, ScanRange range,
          ScanOptions options);
  ~Scanner();

  // The next rows; nullopt at the end. A batch may be empty while there is more.
  // Errors: as Table's; kRefused when the server refuses the filters.
  Task<std::optional<ScanBatch>> next(Deadline deadline);

  // Sets how many rows a request asks for from now on. The scan is started again after the last
  // row, so it costs a seek.
  void set_batch_size(int32_t rows);
  int32_t batch_size() const { return options_.batch_size; }
  int32_t partition_index() const { return target_.partition_index; }

 private:
  Task<net::IncomingReply> ask(Deadline deadline);
  Task<ScanBatch> take(net::IncomingReply reply);
  Result<void> check_not_split() const;
  void set_foreign_apart(ScanBatch& batch) const;
  Routine<> look_up(std::vector<ForeignRow>& foreign, Deadline deadline);
  void forget_context();
  Result<void> forget_moved_context();
  bool ask_for_less();

  std::shared_ptr<PartitionRouter> router_;
  Target target_;
  ScanRange range_;
  ScanOptions options_;
  int32_t partition_count_;         // when the scan began
  int moves_;                       // of the table, when context_ was known to be valid
  int64_t searched_ = 0;            // foreign rows
  std::optional<int64_t> context_;  // of the server; nullopt: start with GET_SCANNER
  bool done_ = false;
  bool context_lost_ = false;
  int too_large_ = 0;  // consecutive replies
};

}  // namespace pegmove::client
