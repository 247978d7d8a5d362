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
void ErrorListener::OnMemTableSealed(const rocksdb::MemTableInfo& /*info*/) {
  log_is_torn_ = false;
  sealed_ = true;
}

}  // namespace pegmove::store
