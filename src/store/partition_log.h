// The duplication log inside a partition's database: its state, and what reads and writes of it do.
// A part of PartitionDb, whose header has the contracts; the bytes are those of store/log_format.h.
#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "store/duplication_log.h"
#include "store/log_format.h"
#include "store/log_sync.h"

namespace pegmove::store {

// add(), wrote(), begin() and drop() are for the caller of PartitionDb::write(), one at a time; the
// rest is for any thread.
class PartitionLog {
 public:
  // All must outlive it. `path`: of the database; `log_sync`: null when each write is synced;
  // `flush`: PartitionDb::flush(); `unix_seconds`: for ids of logs; may be empty.
  PartitionLog(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& meta, const std::string& path,
               LogSync* log_sync, std::function<Result<void>()> flush,
               std::function<int64_t()> unix_seconds);

  // Once, before all others: finds the log. One that came with a copied folder is dropped; one that
  // misses writes is marked as broken. Errors: kIo, kCorrupt.
  Result<void> open(int64_t last_decree);

  bool is_kept() const { return is_kept_; }
  std::optional<LogStart> start() const;

  // Adds the entries to a batch, whose last decree this is. `end`: of the log when the batch is
  // written, for wrote(). Does nothing while no log is kept. The decrees rise.
  rocksdb::Status add(rocksdb::WriteBatch& batch, int64_t decree,
                      std::span<const LoggedMutation> logged, LogEnd& end) const;
  void wrote(const LogEnd& end);

  Result<int64_t> begin(int64_t last_decree);
  Result<void> drop();
  Result<void> trim(int64_t upto);
  // Gives disk space back when entries that were deleted take much of it.
  Result<void> reclaim();
  Result<LogPiece> read(int64_t after, size_t most_bytes);
  Result<LogBacklog> backlog(int64_t after) const;

 private:
  // What a read sees: the database and the log as of one moment.
  struct View {
    std::unique_ptr<rocksdb::Iterator> entries;
    LogEnd upto;  // of what is durable
    bool is_end = false;
    uint64_t log_id = 0;
  };

  Result<std::optional<std::string>> get(const char* key) const;
  Result<void> write(rocksdb::WriteBatch& batch, bool is_durable);
  std::unique_ptr<rocksdb::Iterator> new_iterator() const;
  std::string id_path() const;
  Result<bool> has_id(const std::optional<LogStart>& start) const;
  Result<void> delete_all();
  Result<void> finish_drop();
  Result<uint64_t> next_id() const;
  Result<void> find_end(int64_t last_decree);
  Result<void> find_first_entry();
  void resize_memtable(bool is_kept);
  Error broken(std::string_view why) const;
  Error failed(const rocksdb::Status& status) const;
  std::string older_copy(int64_t decree) const;
  Result<void> mark_broken(std::string why);
  Result<View> look(int64_t after);
  Result<LogPiece> read_durable(int64_t after, size_t most_bytes);
  Result<void> sync();
  Result<void> sync_writes();
  Result<LogEnd> end_at(int64_t decree) const;

  rocksdb::DB& db_;
  rocksdb::ColumnFamilyHandle& meta_;
  const std::string& path_;
  LogSync* const log_sync_;  // null: each write is synced
  const std::function<Result<void>()> flush_;
  const std::function<int64_t()> unix_seconds_;  // may be empty
  std::atomic<bool> is_kept_ = false;
  std::atomic<bool> is_dropping_ = false;  // it is dropped, and that may not be durable yet

  mutable std::mutex mutex_;  // guards what follows
  LogStart start_;
  LogEnd end_;
  LogEnd synced_;            // end_ as it was when all was made durable last
  std::string broken_ = {};  // why nothing can be read; empty: it can
  // Entries up to deleted_.last were deleted; those behind it, up to begins_after, still take
  // space.
  LogEnd deleted_;
  // Held from finding that a sync has failed until what it lost is in files: another caller, who
  // would find nothing, must not take its own sync for enough. Taken after the others.
  std::mutex syncing_;
  // Held while files of deleted entries are removed: no log begins meanwhile.
  std::mutex removing_;
};

}  // namespace pegmove::store
