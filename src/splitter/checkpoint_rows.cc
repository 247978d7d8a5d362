#include "splitter/checkpoint_rows.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/table.h>

#include <set>

#include "base/units.h"
#include "record/expiry.h"
#include "record/value.h"
#include "store/layout.h"
#include "store/status.h"

namespace pegmove::splitter {
namespace {

// Otherwise RocksDB would write a log beside the checkpoint.
class Silent : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

constexpr int kOpenFiles = 64;
constexpr int kOpeningThreads = 2;  // of a database, and many are opened

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

Result<std::unique_ptr<CheckpointRows>> CheckpointRows::open(
    blockstore::BlockStore& store, std::string folder, backup::CheckpointMetadata metadata,
    std::shared_ptr<rocksdb::Cache> cache) {
  auto files = std::make_unique<StoreFiles>(store, std::move(folder), std::move(metadata));
  std::unique_ptr<CheckpointRows> rows(new CheckpointRows(std::move(files)));
  TRY(rows->open_database(std::move(cache)));
  TRY(rows->read_version());
  rows->read_file_list();
  return rows;
}

CheckpointRows::~CheckpointRows() {
  rows_.reset();
  for (auto* family : {rows_family_, meta_family_})
    if (family && !db_->DestroyColumnFamilyHandle(family).ok())
      continue;  // it is destroyed with db_
}

Error CheckpointRows::error(const rocksdb::Status& status, const char* doing) {
  if (auto behind = files_->take_error()) return *std::move(behind);
  return store::to_error(status, doing, files_->folder());
}

Result<void> CheckpointRows::open_database(std::shared_ptr<rocksdb::Cache> cache) {
  rocksdb::DBOptions options;
  options.env = &files_->env();
  options.info_log = std::make_shared<Silent>();
  options.max_open_files = kOpenFiles;
  options.skip_stats_update_on_db_open = true;
  options.max_file_opening_threads = kOpeningThreads;
  const auto family = family_options(cache);
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(
      options, "/" + files_->folder(),
      {{rocksdb::kDefaultColumnFamilyName, family}, {store::kMetaFamily, family}}, &families, &db);
  if (!status.ok()) return fail(error(status, "opening"));
  db_.reset(db);
  rows_family_ = families[0];
  meta_family_ = families[1];
  return {};
}

Result<void> CheckpointRows::read_version() {
  std::string text;
  const auto status = db_->Get({}, meta_family_, store::kDataVersionKey, &text);
  if (!status.ok() && !status.IsNotFound()) return fail(error(status, "reading"));
  const auto version = base::parse_integer(text, 0, record::kMaxServedDataVersion);
  if (!version)
    return fail(Code::kUnsupported, fmt::format("the checkpoint {} has the data version '{}', "
                                                "which pegmove does not know; use a newer pegmove",
                                                files_->folder(), text));
  data_version_ = int(*version);
  return {};
}

void CheckpointRows::read_file_list() {
  std::vector<rocksdb::LiveFileMetaData> files;
  db_->GetLiveFilesMetaData(&files);
  std::set<int> levels;
  for (const auto& file : files) {
    if (file.column_family_name != rocksdb::kDefaultColumnFamilyName) continue;
    bytes_ += int64_t(file.size);
    row_count_ += int64_t(file.num_entries);
    if (file.level == 0)
      ++streams_;
    else
      levels.insert(file.level);
  }
  streams_ += int(levels.size());
}

Result<int64_t> CheckpointRows::bytes_before(const std::string& key) {
  const rocksdb::Range range("", key);
  uint64_t bytes = 0;
  const auto status = db_->GetApproximateSizes({}, rows_family_, &range, 1, &bytes);
  if (!status.ok()) return fail(error(status, "reading"));
  return int64_t(bytes);
}

Result<bool> CheckpointRows::has_row(std::string_view key, uint32_t now_ts) {
  std::string stored;
  const auto status = db_->Get({}, rows_family_, rocksdb::Slice(key.data(), key.size()), &stored);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return fail(error(status, "reading"));
  const auto value = record::decode_value(data_version_, stored);
  return value && !record::is_expired(value->header.expire_ts, now_ts);
}

void CheckpointRows::begin(const std::string& from, const std::string& to, size_t readahead_bytes) {
  rows_.reset();
  end_ = to;
  end_slice_ = end_;
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = readahead_bytes;
  if (!end_.empty()) options.iterate_upper_bound = &end_slice_;
  rows_.reset(db_->NewIterator(options, rows_family_));
  from.empty() ? rows_->SeekToFirst() : rows_->Seek(from);
}

Result<void> CheckpointRows::status() {
  const auto status = rows_->status();
  if (status.ok()) return {};
  return fail(error(status, "reading"));
}

}  // namespace pegmove::splitter
