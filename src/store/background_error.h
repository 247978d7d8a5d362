// Keeps the error that made RocksDB stop.
#pragma once

#include <rocksdb/listener.h>

#include <mutex>

namespace pegmove::store {

// Told by RocksDB, from its threads, of errors in log writes, flushes and compactions. It also
// turns off RocksDB's own recovery, which would try every five seconds and refuse a resume()
// meanwhile: whoever owns the database decides when there is space again.
class BackgroundError : public rocksdb::EventListener {
 public:
  // The first error since the last take(); ok when there is none.
  rocksdb::Status get() const;
  // The same, and forgets it.
  rocksdb::Status take();
  // Puts back what take() took, unless a newer error came.
  void put_back(const rocksdb::Status& error);

  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* auto_recovery) override;

 private:
  mutable std::mutex mutex_;
  rocksdb::Status error_;
};

}  // namespace pegmove::store
