// Syncs the logs of a database that does not sync each write: when it is asked to, and to keep the
// order of writes over several logs.
//
// RocksDB replays its logs one after another and stops at a record that is torn. But a log whose
// last records never reached the disk may end cleanly, and RocksDB 7.8 then continues with the next
// log: after a power cut, later writes would be there without earlier ones. So each log is synced
// before anything is written to the next one.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace pegmove::store {

class LogSync : public rocksdb::EventListener {
 public:
  // `env`: nullptr is RocksDB's default one. `path`: of the database.
  LogSync(rocksdb::Env* env, std::string path);

  // RocksDB calls it without a lock, when the next log is there and before the first write to it.
  // A failure is not reported: RocksDB syncs the log again when it flushes the memtable, and takes
  // no more writes when that fails.
  void OnMemTableSealed(const rocksdb::MemTableInfo& info) override;

  // All writes that have returned are durable when this returns ok. From any thread. It leaves
  // RocksDB alone: DB::SyncWAL() of RocksDB 7.8 ends the process, where it has assertions, when a
  // write to the log has just failed.
  rocksdb::Status sync();
  // Whether a sync failed since the last call. One that succeeds afterwards would say nothing,
  // since the system reports a lost page once: so all fail until this is called, and who calls it
  // flushes what is in memory, which begins a new log.
  bool take_failed() { return has_failed_.exchange(false); }
  void put_back_failed() { has_failed_ = true; }

 private:
  rocksdb::Status sync_files(const std::vector<std::string>& logs);
  rocksdb::Status sync_folder(std::vector<std::string> logs);

  rocksdb::Env& env_;
  const std::string path_;
  std::atomic<bool> has_failed_ = false;
  std::mutex mutex_;                       // guards synced_names_
  std::vector<std::string> synced_names_;  // of the logs, when the folder was synced last
};

}  // namespace pegmove::store
