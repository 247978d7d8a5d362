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
  // The worst error since the last resume, or the one that is being resumed from; ok when there is
  // none.
  rocksdb::Status get() const;
  // The same. end_resume() must follow: until then others see the error, so that nobody flushes a
  // database that is not well yet.
  rocksdb::Status begin_resume();
  // Forgets the error of before begin_resume() when it was overcome. What came since stays.
  void end_resume(bool succeeded);

  // Whether a write to the log failed, perhaps in its middle, and no new log was begun since.
  bool log_is_torn() const { return log_is_torn_; }
  // Whether a memtable was closed since the last call, or this is the first one.
  bool take_sealed() { return sealed_.exchange(false); }

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* auto_recovery) override;
  void OnMemTableSealed(const rocksdb::MemTableInfo& info) override;

 private:
  void keep_worse(const rocksdb::Status& error);

  mutable std::mutex mutex_;  // guards error_ and resumed_from_
  rocksdb::Status error_;
  rocksdb::Status resumed_from_;
  std::atomic<bool> log_is_torn_ = false;
  std::atomic<bool> sealed_ = true;
};

}  // namespace pegmove::store
