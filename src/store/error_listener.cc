#include "store/error_listener.h"

#include <rocksdb/db.h>

#include <utility>

namespace pegmove::store {

rocksdb::Status ErrorListener::get() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

rocksdb::Status ErrorListener::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, rocksdb::Status::OK());
}

void ErrorListener::put_back(const rocksdb::Status& error) {
  const std::lock_guard lock(mutex_);
  if (error_.ok() || error.severity() > error_.severity()) error_ = error;
}

bool ErrorListener::flush_is_owed() const { return rows_flush_owed_ || meta_flush_owed_; }

std::atomic<bool>& ErrorListener::flush_owed(const std::string& family) {
  return family == rocksdb::kDefaultColumnFamilyName ? rows_flush_owed_ : meta_flush_owed_;
}

void ErrorListener::OnBackgroundError(rocksdb::BackgroundErrorReason reason,
                                      rocksdb::Status* error) {
  if (reason == rocksdb::BackgroundErrorReason::kWriteCallback) log_is_torn_ = true;
  put_back(*error);
}

void ErrorListener::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/,
                                         rocksdb::Status /*error*/, bool* auto_recovery) {
  *auto_recovery = false;
}

// Comes when the next log is there, too: RocksDB changes both together.
void ErrorListener::OnMemTableSealed(const rocksdb::MemTableInfo& info) {
  flush_owed(info.cf_name) = true;
  log_is_torn_ = false;
  sealed_ = true;
}

void ErrorListener::OnFlushBegin(rocksdb::DB* /*db*/, const rocksdb::FlushJobInfo& info) {
  flush_owed(info.cf_name) = false;
}

}  // namespace pegmove::store
