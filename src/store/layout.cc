#include "store/layout.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include "store/disk.h"

namespace pegmove::store {
namespace {

constexpr int kLevels = 6;  // as Pegasus: fewer than a database has would not open it
constexpr int kFirstCompressedLevel = 2;
// A block counts as used memory as soon as anything is in it, so that it is not made larger.
constexpr size_t kMetaMemtableBlockBytes = size_t{512} << 10;
constexpr size_t kLogFileBytes = size_t{1} << 20;
constexpr int kMaxOpenFiles = 256;

std::shared_ptr<rocksdb::TableFactory> make_table_factory(const PartitionOptions& options) {
  rocksdb::BlockBasedTableOptions table;
  // 5 has the better bloom filter; Pegasus's servers take 2 (their default) and 5.
  table.format_version = 5;
  table.checksum = options.checksum;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  if (options.resources) table.block_cache = options.resources->block_cache;
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

}  // namespace

std::shared_ptr<StoreResources> StoreResources::make(size_t block_cache_bytes,
                                                     size_t memtable_bytes) {
  auto resources = std::make_shared<StoreResources>();
  resources->block_cache = rocksdb::NewLRUCache(block_cache_bytes);
  resources->write_buffers = std::make_shared<rocksdb::WriteBufferManager>(memtable_bytes);
  return resources;
}

rocksdb::DBOptions make_db_options(const PartitionOptions& options, const PartitionHooks& hooks) {
  rocksdb::DBOptions db;
  db.env = options.env != nullptr ? options.env : &disk();
  db.atomic_flush = true;  // the decree in the meta family and the rows must stay together
  db.paranoid_checks = true;
  // A torn end of the log is what a kill or a power cut leaves. Without sync_writes a power cut may
  // also leave holes: what stands before the first is kept, in the order of the writes. There
  // are none between two logs: see LogSync.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.allow_fallocate = false;  // it would take 70 MB for the log of each partition, rows or not
  db.avoid_flush_during_shutdown = true;  // the log has everything
  db.max_open_files = kMaxOpenFiles;
  db.listeners = {hooks.errors};
  if (hooks.log_sync) db.listeners.push_back(hooks.log_sync);
  db.allow_ingest_behind = options.allow_ingest_behind;
  db.max_bgerror_resume_count = 0;  // see ErrorListener
  if (options.resources) db.write_buffer_manager = options.resources->write_buffers;
  db.max_log_file_size = kLogFileBytes;
  db.keep_log_file_num = 2;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.stats_dump_period_sec = 0;  // no background thread for them
  db.stats_persist_period_sec = 0;
  return db;
}

std::vector<rocksdb::ColumnFamilyDescriptor> make_families(const PartitionOptions& options,
                                                           const PartitionHooks& hooks) {
  rocksdb::ColumnFamilyOptions meta;
  meta.num_levels = kLevels;
  // A level that is kept free cannot be the one from which the others take their size.
  meta.level_compaction_dynamic_level_bytes = !options.allow_ingest_behind;
  meta.compression = rocksdb::kNoCompression;
  meta.write_buffer_size = kMetaMemtableBytes;
  meta.arena_block_size = kMetaMemtableBlockBytes;
  meta.table_factory = make_table_factory(options);

  rocksdb::ColumnFamilyOptions rows = meta;
  rows.arena_block_size = 0;  // RocksDB's own choice
  rows.compression_per_level.assign(kLevels, rocksdb::kLZ4Compression);
  for (int level = 0; level < kFirstCompressedLevel; ++level) {
    rows.compression_per_level[level] = rocksdb::kNoCompression;
  }
  // Names and values are our own, so that this cannot fail.
  rocksdb::ColumnFamilyOptions tuned;
  rocksdb::GetColumnFamilyOptionsFromMap(rocksdb::ConfigOptions(), rows,
                                         tuned_options(options.tuning), &tuned)
      .PermitUncheckedError();
  tuned.compaction_filter_factory = hooks.compaction_filter;
  return {{rocksdb::kDefaultColumnFamilyName, tuned}, {kMetaFamily, meta}};
}

}  // namespace pegmove::store
