// Several partitions of a table read as one stream of rows in key order.
#pragma once

#include <deque>

#include "client/table.h"

namespace pegmove::compare {

struct MergedScanOptions {
  async::milliseconds timeout{30'000};  // of one request, retries included
  std::string after{};                  // begin after this raw key; empty: at the beginning
  int32_t first_batch_rows = 10;        // of a mebibyte each, at worst
  int32_t most_batch_rows = 1000;
};

// All on the client's executor; one advance() at a time.
class MergedScan {
 public:
  MergedScan(std::shared_ptr<client::Table> table, const std::vector<int32_t>& partitions,
             const MergedScanOptions& options);

  // Moves to the next row (the first, at the first call); nullptr at the end. The row's views are
  // valid until the next advance(). Errors: as client::Scanner's; kProtocol when a server returns
  // rows out of order.
  Task<const wire::KeyValueView*> advance();
  // The next row if it is already in memory: avoids a coroutine for most rows. nullptr: advance().
  const wire::KeyValueView* advance_if_ready();

  // The foreign rows (client/foreign_rows.h) up to this key that were left out, and that no earlier
  // call has returned. Those behind the row that was returned last may be incomplete.
  client::ForeignRows take_foreign(std::string_view up_to);
  // The same after the last row.
  client::ForeignRows take_foreign();

 private:
  struct Lane {
    std::unique_ptr<client::Scanner> scanner;
    client::ScanBatch batch;
    size_t next = 0;
    bool done = false;
    std::string last_key;                      // of the previous batch
    std::deque<client::ForeignRow> foreign{};  // in order of their keys

    bool is_ready() const { return done || next < batch.rows.size(); }
    const wire::KeyValueView& row() const { return batch.rows[next]; }
  };

  Task<> fill(Lane& lane);
  Result<void> take(Lane& lane, client::ScanBatch batch);
  const wire::KeyValueView* take_least();

  std::shared_ptr<client::Table> table_;
  async::milliseconds timeout_;
  int32_t most_batch_rows_;
  std::vector<Lane> lanes_;
  std::vector<Lane*> heap_;  // lanes with a row, the smallest key in front
  Lane* current_ = nullptr;  // whose row was returned last
  bool started_ = false;
};

}  // namespace pegmove::compare
