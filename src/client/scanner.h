// Scans: rows of one partition in order of their raw keys, batch by batch.
#pragma once

#include "client/operations.h"
#include "client/partition_router.h"
#include "wire/row_messages.h"

namespace pegmove::client {

// By raw keys (record/key.h). An empty stop lies before every key: there is nothing to scan.
struct ScanRange {
  std::string start;
  std::string stop;
  bool start_inclusive = true;
  bool stop_inclusive = false;
};

// Rows as they came off the wire: `rows` point into `bytes`.
struct ScanBatch {
  SharedBytes bytes;
  std::vector<wire::KeyValueView> rows;
  int64_t count = 0;  // rows.size(), or the count that came instead of rows
};

// Survives what happens to the partition: when the server has forgotten the scan (restart, five
// idle minutes, another primary), it goes on behind the last row that it returned. A row is
// returned once. A scan sees each row's state at some moment between its beginning and the row's
// return. When a reply is too large it asks for fewer rows, and goes on so.
// All on the client's executor; one next() at a time.
class Scanner {
 public:
  Scanner(std::shared_ptr<PartitionRouter> router, Target target, ScanRange range,
          ScanOptions options);
  ~Scanner();

  // The next rows; nullopt at the end. A batch may be empty while there is more.
  // Errors: as Table's; kRefused when the server refuses the filters.
  Task<std::optional<ScanBatch>> next(Deadline deadline);

  // How many rows a request shall ask for from now on; takes effect by asking anew behind the last
  // row, so it costs a seek.
  void set_batch_size(int32_t rows);
  int32_t batch_size() const { return options_.batch_size; }
  int32_t partition_index() const { return target_.partition_index; }

 private:
  Task<net::IncomingReply> ask(Deadline deadline);
  Task<ScanBatch> take(net::IncomingReply reply);
  void forget_context();
  bool ask_for_less();

  std::shared_ptr<PartitionRouter> router_;
  Target target_;
  ScanRange range_;
  ScanOptions options_;
  std::optional<int64_t> context_;  // of the server; nullopt: ask with GET_SCANNER
  bool done_ = false;
  bool context_lost_ = false;
  int too_large_ = 0;  // replies one after the other
};

}  // namespace pegmove::client
