// The layout of a partition's RocksDB, as Pegasus has it: two column families, and what its meta
// family holds. Pegasus: src/server/meta_store.cpp, src/server/pegasus_server_impl_init.cpp.
#pragma once

#include <rocksdb/db.h>     // ColumnFamilyDescriptor
#include <rocksdb/table.h>  // ChecksumType

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/compaction_filter.h"
#include "store/error_listener.h"
#include "store/log_sync.h"
#include "store/tuning.h"

namespace rocksdb {
class Cache;
class WriteBufferManager;
}  // namespace rocksdb

namespace pegmove::store {

inline constexpr const char* kMetaFamily = "pegasus_meta_cf";

// Keys of the meta family; the values are ASCII, numbers decimal.
inline constexpr const char* kDataVersionKey = "pegasus_data_version";
inline constexpr const char* kLastFlushedDecreeKey = "pegasus_last_flushed_decree";
inline constexpr const char* kManualCompactFinishTimeKey =
    "pegasus_last_manual_compact_finish_time";  // unix milliseconds, 0 = never
// Ours, which Pegasus does not look at: the load whose files were taken in last; absent: none.
inline constexpr const char* kLastLoadKey = "pegmove_last_load";
// Ours: the greatest timestamp that a write was given, unix microseconds; absent: none was.
inline constexpr const char* kLastTimestampKey = "pegmove_last_timestamp_us";
// The keys of a duplication log are in store/log_format.h, those of what came from other
// clusters in store/received_positions.h. Without them the family has two keys, written again and
// again: its memtable is full after some 70,000 batches, and the rows are flushed with it.
inline constexpr size_t kMetaMemtableBytes = size_t{8} << 20;
inline constexpr size_t kMetaMemtableBytesWithLog = size_t{64} << 20;  // as that of the rows
// Greater ones are not believed: half of what a timetag holds, so that there is room to count on.
inline constexpr int64_t kMaxTimestampUs = int64_t{1} << 55;
inline constexpr const char* kUsageScenarioKey = "rocksdb.usage_scenario";  // absent: normal

// What the partitions of one process share; shared because each of them needs it until it closes,
// in any order.
struct StoreResources {
  std::shared_ptr<rocksdb::Cache> block_cache;
  // Bounds the memtables of all partitions together: the fullest are flushed first.
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers;

  static std::shared_ptr<StoreResources> make(size_t block_cache_bytes, size_t memtable_bytes);
};

struct PartitionOptions {
  std::string path;               // the folder of the database; no other files may be in it
  bool create_if_missing = true;  // also makes the folders above it
  // Wait for the disk in each write, so that it survives a power cut. Without it a write survives
  // the end of the process, kill -9 included, but the last ones may be lost with the machine.
  bool sync_writes = false;
  Tuning tuning = {};  // may be changed later: PartitionDb::tune()
  // Keep the lowest level free, for files that are loaded behind newer writes (table env
  // rocksdb.allow_ingest_behind).
  bool allow_ingest_behind = false;
  // Of the blocks of table files. The default of RocksDB 7 and 8, kXXH3, which present servers
  // write, cannot be read by the older RocksDB of 2.0 to 2.4.
  rocksdb::ChecksumType checksum = rocksdb::kCRC32c;
  rocksdb::Env* env = nullptr;  // nullptr: disk(). Must outlive the database
  // The clock by which compactions drop expired rows; called from RocksDB's threads. Without it no
  // row is dropped.
  std::function<int64_t()> unix_seconds = {};
  // How long PartitionDb::resume() may take: it writes the memtables to files.
  std::chrono::milliseconds resume_limit{60'000};
  // Without it the database has a block cache of its own (8 MiB).
  std::shared_ptr<StoreResources> resources = {};
};

// The hooks that a database calls while it is open.
struct PartitionHooks {
  std::shared_ptr<ErrorListener> errors;
  std::shared_ptr<LogSync> log_sync;                      // empty when each write is synced
  std::shared_ptr<TableFilterFactory> compaction_filter;  // may be absent
};

rocksdb::DBOptions make_db_options(const PartitionOptions& options, const PartitionHooks& hooks);

// Both families, `default` first.
std::vector<rocksdb::ColumnFamilyDescriptor> make_families(const PartitionOptions& options,
                                                           const PartitionHooks& hooks);

}  // namespace pegmove::store
