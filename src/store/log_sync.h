// Keeps the order of writes over several logs, in a database that does not sync each write.
//
// RocksDB replays its logs one after another and stops at a record that is torn. But a log whose
// last records never reached the disk may end cleanly, and RocksDB 7.8 then continues with the next
// log: after a power cut, later writes would be there without earlier ones. So each log is synced
// before anything is written to the next one.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include <string>

namespace pegmove::store {

class LogSync : public rocksdb::EventListener {
 public:
  // `env`: nullptr is RocksDB's default one. `path`: of the database.
  LogSync(rocksdb::Env* env, std::string path);

  // RocksDB calls it without a lock, when the next log is there and before the first write to it.
  // A failure is not reported: RocksDB syncs the log again when it flushes the memtable, and takes
  // no more writes when that fails.
  void OnMemTableSealed(const rocksdb::MemTableInfo& info) override;

 private:
  rocksdb::Env& env_;
  const std::string path_;
};

}  // namespace pegmove::store
