// The order of writes over several logs, when a database is opened after a power cut.
//
// RocksDB replays its logs one after another and stops at a record that is torn. But a log whose
// last records were never written to the disk ends cleanly, and RocksDB 7.8 goes on with the next
// log: later writes would be there without earlier ones. (There is more than one log while a
// memtable is being flushed.) So each write notes which decree was written before it, and the
// replay stops where that one is missing.
#pragma once

#include <rocksdb/wal_filter.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <optional>

namespace pegmove::store {

// For one opening of a database; must be there as long as the database is open.
class LogOrder : public rocksdb::WalFilter {
 public:
  // Adds to a batch that it is the write of `decree`, and the next one after that of `before`. The
  // note goes to the log only, not into the database.
  static rocksdb::Status note(rocksdb::WriteBatch& batch, int64_t before, int64_t decree);

  // `flushed`: the decree that the table files hold. Nothing: not known; then the first record is
  // believed.
  explicit LogOrder(std::optional<int64_t> flushed) : last_(flushed) {}

  const char* Name() const override { return "pegmove.LogOrder"; }
  // Records without a note are let pass: pegmove did not always write it, and what writes no rows
  // has none.
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& log_file,
                                     const rocksdb::WriteBatch& batch, rocksdb::WriteBatch* changed,
                                     bool* is_changed) override;

 private:
  std::optional<int64_t> last_;  // the greatest decree so far
};

// Lets no record of any log pass: what remains is what the table files hold.
class NoLogs : public rocksdb::WalFilter {
 public:
  const char* Name() const override { return "pegmove.NoLogs"; }
  WalProcessingOption LogRecordFound(unsigned long long log_number, const std::string& log_file,
                                     const rocksdb::WriteBatch& batch, rocksdb::WriteBatch* changed,
                                     bool* is_changed) override;
};

}  // namespace pegmove::store
