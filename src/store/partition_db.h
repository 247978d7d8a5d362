// One partition's RocksDB in the layout of Pegasus (store/layout.h): rows in the column family
// `default`, the data version and the decree of the last write in `pegasus_meta_cf`.
//
// Pegasus turns RocksDB's log off and has one of its own; here RocksDB's log is on, so that a
// write that returned survives kill -9 (and with sync_writes a power cut).
#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/cursor.h"
#include "store/duplication_log.h"
#include "store/layout.h"
#include "store/partition_log.h"
#include "store/received_positions.h"
#include "store/status.h"
#include "store/stored_value.h"
#include "store/write_batch.h"

namespace pegmove::store {

// Sizes of a database, as RocksDB knows them.
struct PartitionStatistics {
  uint64_t files = 0;
  uint64_t file_bytes = 0;
  uint64_t memtable_bytes = 0;
  uint64_t table_reader_bytes = 0;  // indexes and filters outside of the block cache
  uint64_t estimated_rows = 0;
};

struct CompactionRequest {
  int target_level = -1;  // where the files go; -1 or more than there are: RocksDB decides
  bool rewrite_lowest_level = true;  // also files that are at the bottom already
};

// Every call may block on the disk. Reads, cursors, flush(), checkpoint() and compact() are safe
// from any thread at any time. write() is for one caller at a time: the order of the calls is the
// order of the decrees. Likewise keep_log() and drop_log(), which are not made beside write().
//
// Every error names the folder. kCorrupt: damaged files; restore the partition from elsewhere.
// kIo: the system refused; is_disk_full() (store/status.h) tells a full disk.
class PartitionDb {
 public:
  // Opens the database, or creates an empty one (data version 1, decree 0) where nothing or an
  // empty folder is. A folder that is not ours is left as it was.
  // Errors: kNotFound (nothing there and create_if_missing off), kCorrupt (damaged, or no partition
  // of Pegasus), kUnsupported (a data version other than 0 and 1), kBusy (open already), kIo.
  static Result<std::unique_ptr<PartitionDb>> open(const PartitionOptions& options);

  // Closes. Cursors and StoredValues must be gone. Nothing is lost: what is not in files yet is
  // in the log.
  ~PartitionDb();
  PartitionDb(const PartitionDb&) = delete;
  PartitionDb& operator=(const PartitionDb&) = delete;

  const std::string& path() const { return path_; }
  int data_version() const { return data_version_; }
  // The decree of the last successful write; 0 in a new database. Decrees may have gaps.
  int64_t last_decree() const { return last_decree_; }
  // The greatest timestamp of a write, unix microseconds; 0 when none had one, as in databases of
  // Pegasus. It is kept with the rows, in checkpoints too.
  int64_t last_timestamp_us() const { return last_timestamp_us_; }

  // `expected_bytes`: of what it will hold, so that it need not move while it grows.
  WriteBatch new_batch(size_t expected_bytes = 0) const {
    return WriteBatch(data_version_, expected_bytes);
  }

  // Applies the batch, the decree and the timestamp in one step; an empty batch writes these alone.
  // A timestamp that is not above last_timestamp_us() is not kept. The batch is left as it was.
  //
  // May be repeated after an error, with the same batch: a failed write cannot be seen, but a later
  // open may show it whole, so that its decree must not be used for anything else.
  // `logged`: what of the batch goes into the duplication log, while one is kept; their decrees are
  // above last_decree(), rise, and are not above `decree`.
  // Errors: kInvalidArgument when the decree is not above last_decree(), the timestamp is above
  // kMaxTimestampUs or the batch was made for another data version, kIo, kCorrupt. After kIo all
  // writes fail until resume() succeeds.
  Result<void> write(WriteBatch& batch, int64_t decree, int64_t timestamp_us = 0,
                     std::span<const LoggedMutation> logged = {});

  // How far the log of another cluster's partition is in here: what successful writes have set,
  // also before this opening (store/received_positions.h). For the caller of write() only.
  std::optional<ReceivedPosition> received_from(const SourcePartition& source) const {
    return received_.find(source);
  }

  // Nothing, or the error that made RocksDB stop taking writes (or stop compacting); reads go on.
  Result<void> health() const;
  // Tries to take writes again after an error, once its cause is gone (space on the disk). It
  // writes what is in memory to files. Does nothing when health() is good. May be repeated, but not
  // beside write(). Errors: as health(), when the cause is still there or needs_reopen().
  Result<void> resume();
  // Whether writes can be taken again only after the database was closed and opened again; also
  // when a resume() took longer than PartitionOptions::resume_limit.
  bool needs_reopen() const;

  // The row of a key, expired or not; nothing when there is none.
  // Errors: kCorrupt (also a value without a whole header), kIo.
  Result<std::optional<StoredValue>> get(std::string_view raw_key) const;
  // The rows of many keys as of one moment, in the order of the keys; the first error is that of
  // all. Keys may repeat.
  Result<std::vector<std::optional<StoredValue>>> multi_get(
      std::span<const std::string> raw_keys) const;

  // A cursor over the rows as they are now, that ends before `upper_bound_exclusive` ("": at the
  // end). With `fill_cache` off, a long scan leaves the block cache to others.
  std::unique_ptr<Cursor> new_cursor(std::string upper_bound_exclusive = "",
                                     bool fill_cache = true) const;

  uint64_t estimated_rows() const;  // RocksDB's guess: expired and overwritten rows may count
  uint64_t disk_bytes() const;      // of the table files; not of the log
  int table_files() const;          // that hold rows

  PartitionStatistics statistics() const;
  // The options of the engine under the names of their app envs (rocksdb.num_levels, ...), as they
  // are in force. Pegasus: pegasus_server_impl::query_app_envs.
  std::map<std::string, std::string> engine_options() const;

  // These three are refused with the error of health() while that is not good.

  // Writes what is in memory to table files, and waits. Errors: kIo, kCorrupt.
  Result<void> flush();
  // Compacts everything, dropping overwritten, removed and expired rows and doing what the policy
  // says; can take long. Notes when it ended. Errors: kIo, kCorrupt.
  Result<void> compact(const CompactionRequest& request = {});
  // Ends compact() and lets no other begin; it fails with kInterrupted. Blocks until it has ended.
  void stop_compacting();
  // Makes a copy that is a database of its own, at a path that must not exist, in a folder that
  // must. Table files are hard links where possible. It holds table files, CURRENT, MANIFEST and
  // OPTIONS, and no log. Returns its decree: at least last_decree() of before the call, and exactly
  // the writes up to it are inside.
  // Errors: kAlreadyExists, kIo, kCorrupt; nothing is left at the path then.
  Result<int64_t> checkpoint(const std::string& path);

  // Takes whole table files in, in one step, as if their rows were written now, or, `behind`,
  // before everything that is here; and notes that it was done for this load (not 0). A load that
  // is noted is not done again. The files are moved, without copying them where they are on the
  // same disk. Not beside write(). Errors: kInvalidArgument: RocksDB refuses them (they overlap;
  // behind: the table was not made for it, or has been loaded behind before where they overlap);
  // kRefused: behind a database that has been compacted; kIo, kCorrupt.
  Result<void> ingest(const std::vector<std::string>& files, bool behind, int64_t load);
  // Whether rows can be taken in behind what is here. Errors: kRefused: the table was not made for
  // it, or has been compacted or loaded.
  Result<void> check_load_behind() const;
  // Of the last ingest(); 0: none.
  int64_t last_load() const { return last_load_; }

  // ---- the duplication log (store/duplication_log.h) ----

  // Keeps a log from now on, unless one is kept: `logged` of all later writes will be in it.
  // Durable when it returns. Returns last_decree(). May be repeated. Errors: kIo.
  Result<int64_t> keep_log();
  // Ends the log and deletes it, durably. Nothing happens when none is kept. The disk space comes
  // back with reclaim_log(). Errors: kIo: keeps_log() says whether it has ended; in any case call
  // again, until then a power cut may bring it back.
  Result<void> drop_log();
  bool keeps_log() const { return log_->is_kept(); }
  // Nothing: no log is kept. A log in a folder that was copied from elsewhere is dropped when it is
  // opened: it belongs to the partition that the folder was copied from.
  std::optional<LogStart> log_start() const { return log_->start(); }
  // The log's mutations behind a decree, at least one, and as many as have `most_bytes` together;
  // none at the end of the log. What is returned is durable: a power cut takes none of it back. So
  // this may sync RocksDB's log. May be repeated.
  // Errors: kNotFound: no log is kept. kCorrupt, naming decrees: `after` is before the log's begin
  // (it was trimmed) or after the partition's last decree (the folder is an older copy), entries
  // are missing or damaged, or writes were made without the log. kIo.
  Result<LogPiece> read_log(int64_t after, size_t most_bytes);
  // The log begins after this decree from now on. A power cut may take that back. Entries are
  // deleted when they are some 4 MiB, and files are rewritten when they have more that is deleted
  // than not, and 64 MiB: that blocks for long. May be repeated: a decree that was trimmed is no
  // error. Errors: kNotFound: no log is kept; kCorrupt: above last_decree(), and nothing can be
  // read from then on (the folder is an older copy); kIo.
  Result<void> trim_log(int64_t upto);
  // Gives the disk space of deleted entries back, if there is much of it. Blocks. trim_log() does
  // it by itself. Errors: kIo.
  Result<void> reclaim_log() { return log_->reclaim(); }
  // What of the log is behind a decree. Exact, also after a restart; takes one seek.
  // Errors: kNotFound: no log is kept; kIo, kCorrupt.
  Result<LogBacklog> log_backlog(int64_t after) const { return log_->backlog(after); }

  // Changes these options from now on, and notes the scenario in the meta family, as Pegasus does.
  // Repeatable; the same tuning again does nothing. Errors: kIo, kInvalidArgument.
  Result<void> tune(const Tuning& tuning);
  // For compactions that begin from now on; nothing in a database without `unix_seconds`.
  void set_compaction_policy(CompactionPolicy policy);
  // When the last compact() ended, in unix milliseconds; 0 = never.
  int64_t last_compact_unix_ms() const { return last_compact_unix_ms_; }

 private:
  explicit PartitionDb(const PartitionOptions& options);
  Result<void> open_existing(const PartitionOptions& options);
  Result<void> read_meta();
  Result<void> check_write(const WriteBatch& batch, int64_t decree, int64_t timestamp_us,
                           std::span<const LoggedMutation> logged) const;
  rocksdb::Status add_meta(rocksdb::WriteBatch& batch, int64_t decree, int64_t timestamp_us) const;
  rocksdb::Status fill_memtable();
  Result<void> flush_between_writes();
  rocksdb::Status resume_within_limit();
  rocksdb::Status try_disk();
  Error needs_reopen_error() const;
  bool memtables_are_empty() const;
  bool compacted_since_made() const;
  Error error(const rocksdb::Status& status, std::string_view doing) const;
  Error bad_value(std::string_view raw_key) const;
  Result<int64_t> finish_checkpoint(const std::string& path);

  std::string path_;
  PartitionHooks hooks_;
  rocksdb::DBOptions db_options_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* rows_ = nullptr;  // both destroyed before db_, by the destructor
  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  std::unique_ptr<PartitionLog> log_;  // made when db_ is open
  ReceivedPositions received_;
  rocksdb::WriteOptions write_options_;
  int data_version_ = 0;
  std::atomic<int64_t> last_decree_ = 0;
  std::atomic<int64_t> last_timestamp_us_ = 0;
  std::atomic<int64_t> last_compact_unix_ms_ = 0;
  std::atomic<int64_t> last_load_ = 0;
  std::function<int64_t()> unix_seconds_;  // may be empty
  std::chrono::milliseconds resume_limit_;
  std::atomic<bool> is_given_up_ = false;  // resuming took longer: no background work is left
  std::mutex writing_;                     // held while RocksDB writes
  mutable std::mutex tuning_mutex_;        // guards tuning_
  Tuning tuning_;
};

}  // namespace pegmove::store
