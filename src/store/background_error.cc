#include "store/background_error.h"

#include <utility>

namespace pegmove::store {

rocksdb::Status BackgroundError::get() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

rocksdb::Status BackgroundError::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, rocksdb::Status::OK());
}

void BackgroundError::put_back(const rocksdb::Status& error) {
  const std::lock_guard lock(mutex_);
  if (error_.ok() || error.severity() > error_.severity()) error_ = error;
}

void BackgroundError::OnBackgroundError(rocksdb::BackgroundErrorReason reason,
                                        rocksdb::Status* error) {
  if (reason == rocksdb::BackgroundErrorReason::kWriteCallback) log_is_torn_ = true;
  put_back(*error);
}

void BackgroundError::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/,
                                           rocksdb::Status /*error*/, bool* auto_recovery) {
  *auto_recovery = false;
}

// Comes when the next log is there, too: RocksDB changes both together.
void BackgroundError::OnMemTableSealed(const rocksdb::MemTableInfo& /*info*/) {
  sealed_ = true;
  log_is_torn_ = false;
}

}  // namespace pegmove::store
