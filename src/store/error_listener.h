// What RocksDB says of its errors, and of the state that they left it in.
#pragma once

#include <rocksdb/listener.h>

#include <atomic>
#include <mutex>
#include <string>

namespace pegmove::store {

// RocksDB reports to it, from its threads, errors in log writes, flushes and compactions. It also
// turns off RocksDB's own recovery, which would try every five seconds and refuse a resume()
// meanwhile: whoever owns the database decides when there is space again.
//
// It knows the state in which DB::Resume() of RocksDB 7.8 would continue with a torn log (see
// PartitionDb::needs_reopen), which RocksDB itself does not show.
class ErrorListener : public rocksdb::EventListener {
 public:
  // The worst error since the last take(); ok when there is none.
  rocksdb::Status get() const;
  // The same, and forgets it.
  rocksdb::Status take();
  // Puts back what take() took, unless one as bad came since.
  void put_back(const rocksdb::Status& error);

  // Whether a write to the log failed, perhaps in its middle, and no new log was begun since.
  bool log_is_torn() const { return log_is_torn_; }
  // Whether a memtable was closed since the last call, or this is the first one.
  bool take_sealed() { return sealed_.exchange(false); }

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* auto_recovery) override;
  void OnMemTableSealed(const rocksdb::MemTableInfo& info) override;

 private:
  mutable std::mutex mutex_;
  rocksdb::Status error_;
  std::atomic<bool> log_is_torn_ = false;
  std::atomic<bool> sealed_ = true;
};

}  // namespace pegmove::store
