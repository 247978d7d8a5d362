#include "store/error_listener.h"

#include <rocksdb/db.h>

#include <utility>

namespace pegmove::store {

rocksdb::Status ErrorListener::get() const {
  const std::lock_guard lock(mutex_);
  return error_.ok() ? resumed_from_ : error_;
}

rocksdb::Status ErrorListener::begin_resume() {
  const std::lock_guard lock(mutex_);
  resumed_from_ = std::exchange(error_, rocksdb::Status::OK());
  return resumed_from_;
}

void ErrorListener::end_resume(bool succeeded) {
  const std::lock_guard lock(mutex_);
  if (!succeeded) keep_worse(resumed_from_);
  resumed_from_ = rocksdb::Status::OK();
}

void ErrorListener::keep_worse(const rocksdb::Status& error) {
  if (error_.ok() || error.severity() > error_.severity()) error_ = error;
}

void ErrorListener::OnBackgroundError(rocksdb::BackgroundErrorReason reason,
                                      rocksdb::Status* error) {
  if (reason == rocksdb::BackgroundErrorReason::kWriteCallback) log_is_torn_ = true;
  const std::lock_guard lock(mutex_);
  keep_worse(*error);
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
