#include "store/partition_db.h"

#include <fmt/format.h>
#include <rocksdb/convenience.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/bytes.h"
#include "base/units.h"
#include "store/folder.h"

namespace pegmove::store {
namespace {

// Removed again and again, never there: see fill_memtable().
constexpr const char* kTrialFile = "trial.sst";  // the names of RocksDB's files are numbers
constexpr const char* kMemtableFillerKey = "pegmove_memtable_filler";

// Keeps RocksDB from writing a LOG file into a folder that is only read.
class SilentLogger : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

// A number of the meta family; nothing when it is not there.
Result<std::optional<int64_t>> find_number(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta,
                                           const char* key, int64_t most, const std::string& path) {
  std::string text;
  const rocksdb::Status status = db.Get(rocksdb::ReadOptions(), meta, key, &text);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return fail(to_error(status, "opening", path));
  const auto number = base::parse_integer(text, 0, most);
  if (!number) {
    return fail(
        Code::kCorrupt,
        fmt::format("opening the database {}: {} is \"{}\", which is no number from 0 to {}", path,
                    key, base::printable(text), most));
  }
  return *number;
}

// One that must be there.
Result<int64_t> read_number(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta, const char* key,
                            const std::string& path) {
  const auto number = TRY(find_number(db, meta, key, std::numeric_limits<int64_t>::max(), path));
  if (number) return *number;
  return fail(
      Code::kCorrupt,
      fmt::format("opening the database {}: {} is missing, so it is no whole partition of Pegasus",
                  path, key));
}

// The decree that a closed database holds. Leaves no new file in its folder.
Result<int64_t> read_decree(rocksdb::DBOptions options, const std::string& path) {
  options.listeners.clear();
  options.info_log = std::make_shared<SilentLogger>();
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  const rocksdb::Status status =
      rocksdb::DB::OpenForReadOnly(options, path, make_families({}, {}), &families, &opened);
  if (!status.ok()) return fail(to_error(status, "reading", path));
  const std::unique_ptr<rocksdb::DB> db(opened);
  auto decree = read_number(*db, families[1], kLastFlushedDecreeKey, path);
  for (rocksdb::ColumnFamilyHandle* family : families) db->DestroyColumnFamilyHandle(family);
  return decree;
}

}  // namespace

PartitionDb::PartitionDb(const PartitionOptions& options)
    : path_(options.path),
      unix_seconds_(options.unix_seconds),
      resume_limit_(options.resume_limit),
      tuning_(options.tuning) {
  hooks_.errors = std::make_shared<ErrorListener>();
  if (!options.sync_writes) hooks_.log_sync = std::make_shared<LogSync>(options.env, options.path);
  if (options.unix_seconds) {
    hooks_.compaction_filter = std::make_shared<TableFilterFactory>(options.unix_seconds);
  }
  db_options_ = make_db_options(options, hooks_);
  write_options_.sync = options.sync_writes;
}

PartitionDb::~PartitionDb() {
  if (!db_) return;
  db_->DestroyColumnFamilyHandle(rows_);
  db_->DestroyColumnFamilyHandle(meta_);
  // Whatever fails here, the log has the rows.
  db_->Close().PermitUncheckedError();
}

Result<std::unique_ptr<PartitionDb>> PartitionDb::open(const PartitionOptions& options) {
  std::unique_ptr<PartitionDb> db(new PartitionDb(options));
  const FolderState state = TRY(look_at_folder(*db->db_options_.env, options.path));
  switch (state) {
    case FolderState::kForeign:
      return fail(Code::kCorrupt,
                  fmt::format("opening the database {}: the folder has files but no CURRENT, so it "
                              "is no database; name another folder, or move the files away",
                              options.path));
    case FolderState::kMissing:
    case FolderState::kEmpty:
      if (!options.create_if_missing) {
        return fail(Code::kNotFound,
                    fmt::format("opening the database {}: nothing is there", options.path));
      }
      TRY(create_database(options, db->db_options_));
      break;
    case FolderState::kDatabase: break;
  }
  TRY(check_families(db->db_options_, options.path));
  TRY(db->open_existing(options));
  TRY(db->read_meta());
  return db;
}

Result<void> PartitionDb::open_existing(const PartitionOptions& options) {
  rocksdb::DB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  const rocksdb::Status status =
      rocksdb::DB::Open(db_options_, path_, make_families(options, hooks_), &families, &opened);
  if (!status.ok()) {
    // A file that the MANIFEST names is not there, or the two contradict our options: damage.
    Error why = error(status, "opening");
    const bool damaged =
        status.IsNotFound() || status.IsPathNotFound() || status.IsInvalidArgument();
    return damaged ? fail(Code::kCorrupt, why.message()) : fail(std::move(why));
  }
  db_.reset(opened);
  rows_ = families[0];
  meta_ = families[1];
  log_ = std::make_unique<PartitionLog>(
      *db_, *meta_, path_, hooks_.log_sync.get(), [this] { return flush_between_writes(); },
      unix_seconds_);
  return {};
}

Result<void> PartitionDb::read_meta() {
  const int64_t version = TRY(read_number(*db_, meta_, kDataVersionKey, path_));
  if (version > record::kMaxServedDataVersion) {
    return fail(Code::kUnsupported,
                fmt::format("opening the database {}: its data version is {}; known are 0 and 1",
                            path_, version));
  }
  data_version_ = static_cast<int>(version);
  last_decree_ = TRY(read_number(*db_, meta_, kLastFlushedDecreeKey, path_));
  last_timestamp_us_ =
      TRY(find_number(*db_, meta_, kLastTimestampKey, kMaxTimestampUs, path_)).value_or(0);
  // Pegasus wants it to be there; nothing is lost without it.
  const auto compacted = read_number(*db_, meta_, kManualCompactFinishTimeKey, path_);
  last_compact_unix_ms_ = compacted.value_or(0);
  const auto loaded = read_number(*db_, meta_, kLastLoadKey, path_);
  last_load_ = loaded.value_or(0);  // only tables that were loaded have it
  if (hooks_.compaction_filter) hooks_.compaction_filter->set_data_version(data_version_);
  if (const auto status = received_.open(*db_, *meta_); !status.ok())
    return fail(error(status, "opening"));
  return log_->open(last_decree_);
}

Error PartitionDb::error(const rocksdb::Status& status, std::string_view doing) const {
  return to_error(status, doing, path_);
}

Error PartitionDb::bad_value(std::string_view raw_key) const {
  return {Code::kCorrupt,
          fmt::format("reading the database {}: the value of key {} is shorter than its header",
                      path_, base::printable(raw_key))};
}

Result<void> PartitionDb::check_write(const WriteBatch& batch, int64_t decree, int64_t timestamp_us,
                                      std::span<const LoggedMutation> logged) const {
  if (decree <= last_decree_) {
    return fail(Code::kInvalidArgument,
                fmt::format("writing to the database {}: decree {} is not above the last one, {}",
                            path_, decree, last_decree_));
  }
  if (timestamp_us > kMaxTimestampUs) {
    return fail(Code::kInvalidArgument,
                fmt::format("writing to the database {}: timestamp {} us is too large", path_,
                            timestamp_us));
  }
  if (batch.data_version() != data_version_) {
    return fail(
        Code::kInvalidArgument,
        fmt::format(
            "writing to the database {}: the batch is for data version {}, the database has {}",
            path_, batch.data_version(), data_version_));
  }
  if (!batch.first_error_.ok()) return fail(error(batch.first_error_, "writing to"));
  int64_t before = last_decree_;
  for (const auto& mutation : logged) {
    if (mutation.decree <= before || mutation.decree > decree || mutation.writes.empty())
      return fail(Code::kInvalidArgument,
                  fmt::format("writing to the database {}: decree {} cannot be logged between {} "
                              "and {}",
                              path_, mutation.decree, before, decree));
    before = mutation.decree;
  }
  return {};
}

rocksdb::Status PartitionDb::add_meta(rocksdb::WriteBatch& batch, int64_t decree,
                                      int64_t timestamp_us) const {
  rocksdb::Status status = batch.Put(meta_, kLastFlushedDecreeKey, std::to_string(decree));
  if (status.ok() && timestamp_us > last_timestamp_us_)
    status = batch.Put(meta_, kLastTimestampKey, std::to_string(timestamp_us));
  return status;
}

Result<void> PartitionDb::write(WriteBatch& batch, int64_t decree, int64_t timestamp_us,
                                std::span<const LoggedMutation> logged) {
  TRY(check_write(batch, decree, timestamp_us, logged));
  if (is_given_up_) return fail(needs_reopen_error());
  batch.batch_.SetSavePoint();
  rocksdb::Status status = add_meta(batch.batch_, decree, timestamp_us);
  if (status.ok() && batch.received_)
    status = received_.add(batch.batch_, *batch.received_, decree);
  LogEnd log_end;
  if (status.ok()) status = log_->add(batch.batch_, decree, logged, log_end);
  if (status.ok() && hooks_.errors->take_sealed()) status = fill_memtable();
  if (status.ok()) {
    const std::lock_guard writing(writing_);
    status = db_->Write(write_options_, &batch.batch_);
  }
  batch.batch_.RollbackToSavePoint().PermitUncheckedError();
  if (!status.ok()) return fail(error(status, "writing to"));
  log_->wrote(log_end);
  if (batch.received_) received_.wrote(*batch.received_, decree);
  last_decree_ = decree;
  last_timestamp_us_ = std::max(last_timestamp_us_.load(), timestamp_us);
  return {};
}

// Gives a fresh memtable an entry that means nothing and need not be logged: RocksDB can start a
// new log after a torn one only when the memtable has something in it.
rocksdb::Status PartitionDb::fill_memtable() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return db_->Delete(options, meta_, kMemtableFillerKey);
}

Result<int64_t> PartitionDb::keep_log() {
  if (is_given_up_) return fail(needs_reopen_error());
  return log_->begin(last_decree_);
}

Result<void> PartitionDb::drop_log() {
  if (is_given_up_) return fail(needs_reopen_error());
  return log_->drop();
}

Result<LogPiece> PartitionDb::read_log(int64_t after, size_t most_bytes) {
  return log_->read(after, most_bytes);
}

Result<void> PartitionDb::trim_log(int64_t upto) {
  if (is_given_up_) return fail(needs_reopen_error());
  return log_->trim(upto);
}

bool PartitionDb::needs_reopen() const {
  if (is_given_up_) return true;
  const rocksdb::Status cause = hooks_.errors->get();
  if (cause.ok()) return false;
  if (cause.severity() >= rocksdb::Status::Severity::kFatalError) return true;
  // With an empty memtable it would go on with the torn log, and the next write would end the
  // process. write() sees to it that this is rare: the memtable was changed in the failed write.
  return hooks_.errors->log_is_torn() && memtables_are_empty();
}

bool PartitionDb::memtables_are_empty() const {
  for (rocksdb::ColumnFamilyHandle* family : {rows_, meta_}) {
    uint64_t entries = 0;
    db_->GetIntProperty(family, rocksdb::DB::Properties::kNumEntriesActiveMemTable, &entries);
    if (entries > 0) return false;
  }
  return true;
}

Result<void> PartitionDb::health() const {
  const rocksdb::Status status = hooks_.errors->get();
  if (!status.ok()) return fail(error(status, "writing to"));
  return {};
}

Result<void> PartitionDb::resume() {
  if (needs_reopen()) return fail(needs_reopen_error());
  const rocksdb::Status cause = hooks_.errors->begin_resume();
  if (cause.ok()) return {};
  static std::mutex one_at_a_time;  // of all partitions: each tries to take space for itself
  const std::lock_guard lock(one_at_a_time);
  rocksdb::Status status = try_disk();
  if (status.ok()) status = resume_within_limit();
  hooks_.errors->end_resume(status.ok() && !is_given_up_);
  if (is_given_up_) return fail(needs_reopen_error());
  if (!status.ok()) return fail(error(status, "resuming writes to"));
  return {};
}

Error PartitionDb::needs_reopen_error() const {
  const Error cause = error(hooks_.errors->get(), "writing to");
  return {cause.code(),
          fmt::format("{}; afterwards it must be closed and opened again: restart the server",
                      cause.message())};
}

// After some sequences of errors, RocksDB 7.8 waits without end for a flush that it has forgotten,
// or whose memtables it left marked as being flushed. Ending its background work ends the wait.
rocksdb::Status PartitionDb::resume_within_limit() {
  const std::jthread limit([this](const std::stop_token& resumed) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any wakes;
    wakes.wait_for(lock, resumed, resume_limit_, [] { return false; });
    if (resumed.stop_requested()) return;
    is_given_up_ = true;
    rocksdb::CancelAllBackgroundWork(db_.get(), false);
  });
  return db_->Resume();
}

// Whether the disk takes what Resume() will write. A Resume() of RocksDB 7.8 that fails may end the
// process: of two flushes that wait, the second begins when the first has failed, and syncs a torn
// log as a good one when Resume() has returned meanwhile.
rocksdb::Status PartitionDb::try_disk() {
  const std::string path = path_ + "/" + kTrialFile;
  const std::string piece(64 << 10, '\0');
  uint64_t left = statistics().memtable_bytes + piece.size();
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = db_options_.env->NewWritableFile(path, &file, rocksdb::EnvOptions());
  for (; status.ok() && left > 0; left -= std::min<uint64_t>(left, piece.size()))
    status = file->Append(rocksdb::Slice(piece.data(), std::min<uint64_t>(left, piece.size())));
  if (status.ok()) status = file->Sync();
  file.reset();
  db_options_.env->DeleteFile(path).PermitUncheckedError();
  return status;
}

Result<std::optional<StoredValue>> PartitionDb::get(std::string_view raw_key) const {
  rocksdb::PinnableSlice bytes;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), rows_, rocksdb::Slice(raw_key), &bytes);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return fail(error(status, "reading"));
  auto value = StoredValue::decode(data_version_, std::move(bytes));
  if (!value) return fail(bad_value(raw_key));
  return value;
}

Result<std::vector<std::optional<StoredValue>>> PartitionDb::multi_get(
    std::span<const std::string> raw_keys) const {
  const std::vector<rocksdb::Slice> keys(raw_keys.begin(), raw_keys.end());
  std::vector<rocksdb::PinnableSlice> bytes(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db_->MultiGet(rocksdb::ReadOptions(), rows_, keys.size(), keys.data(), bytes.data(),
                statuses.data());
  std::vector<std::optional<StoredValue>> values(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    if (!statuses[i].ok()) return fail(error(statuses[i], "reading"));
    values[i] = StoredValue::decode(data_version_, std::move(bytes[i]));
    if (!values[i]) return fail(bad_value(raw_keys[i]));
  }
  return values;
}

std::unique_ptr<Cursor> PartitionDb::new_cursor(std::string upper_bound_exclusive,
                                                bool fill_cache) const {
  auto cursor = std::make_unique<Cursor>(path_, data_version_, std::move(upper_bound_exclusive));
  rocksdb::ReadOptions options;
  options.total_order_seek = true;  // files of real servers have filters of key prefixes
  options.fill_cache = fill_cache;
  if (!cursor->upper_bound_.empty()) options.iterate_upper_bound = &cursor->upper_bound_slice_;
  cursor->rows_.reset(db_->NewIterator(options, rows_));
  return cursor;
}

uint64_t PartitionDb::estimated_rows() const {
  uint64_t rows = 0;
  db_->GetIntProperty(rows_, rocksdb::DB::Properties::kEstimateNumKeys, &rows);
  return rows;
}

uint64_t PartitionDb::disk_bytes() const {
  uint64_t total = 0;
  for (rocksdb::ColumnFamilyHandle* family : {rows_, meta_}) {
    uint64_t bytes = 0;
    db_->GetIntProperty(family, rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
    total += bytes;
  }
  return total;
}

int PartitionDb::table_files() const {
  rocksdb::ColumnFamilyMetaData files;
  db_->GetColumnFamilyMetaData(rows_, &files);
  return static_cast<int>(files.file_count);
}

PartitionStatistics PartitionDb::statistics() const {
  using Properties = rocksdb::DB::Properties;
  PartitionStatistics found;
  for (rocksdb::ColumnFamilyHandle* family : {rows_, meta_}) {
    uint64_t bytes = 0;
    if (db_->GetIntProperty(family, Properties::kCurSizeAllMemTables, &bytes)) {
      found.memtable_bytes += bytes;
    }
    if (db_->GetIntProperty(family, Properties::kEstimateTableReadersMem, &bytes)) {
      found.table_reader_bytes += bytes;
    }
    rocksdb::ColumnFamilyMetaData files;
    db_->GetColumnFamilyMetaData(family, &files);
    found.files += files.file_count;
    found.file_bytes += files.size;
  }
  found.estimated_rows = estimated_rows();
  return found;
}

std::map<std::string, std::string> PartitionDb::engine_options() const {
  const rocksdb::Options options = db_->GetOptions(rows_);
  const std::lock_guard lock(tuning_mutex_);
  return {{"rocksdb.num_levels", std::to_string(options.num_levels)},
          {"rocksdb.usage_scenario", std::string(usage_scenario_name(tuning_.scenario))},
          {"rocksdb.write_buffer_size", std::to_string(options.write_buffer_size)}};
}

Result<void> PartitionDb::flush() {
  TRY(health());
  const rocksdb::Status status = db_->Flush(rocksdb::FlushOptions(), {rows_, meta_});
  if (!status.ok()) return fail(error(status, "flushing"));
  return {};
}

// RocksDB 7.8 ends the process, where it has assertions, when a flush finds a log that a write has
// just failed on. On a disk that fails syncs that is likely.
Result<void> PartitionDb::flush_between_writes() {
  const std::lock_guard writing(writing_);
  return flush();
}

Result<void> PartitionDb::compact(const CompactionRequest& request) {
  TRY(health());
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = request.rewrite_lowest_level
                                            ? rocksdb::BottommostLevelCompaction::kForceOptimized
                                            : rocksdb::BottommostLevelCompaction::kSkip;
  options.change_level = request.target_level > 0 && request.target_level < db_->NumberLevels();
  if (options.change_level) options.target_level = request.target_level;
  rocksdb::Status status = db_->CompactRange(options, rows_, nullptr, nullptr);
  if (status.ok()) status = db_->CompactRange({}, meta_, nullptr, nullptr);
  if (status.IsIncomplete()) return fail(Code::kInterrupted, "the compaction was ended");
  if (!status.ok()) return fail(error(status, "compacting"));
  if (!unix_seconds_) return {};
  const int64_t ended = unix_seconds_() * 1000;
  status = db_->Put(write_options_, meta_, kManualCompactFinishTimeKey, std::to_string(ended));
  if (!status.ok()) return fail(error(status, "writing to"));
  last_compact_unix_ms_ = ended;
  return {};
}

void PartitionDb::stop_compacting() { db_->DisableManualCompaction(); }

Result<void> PartitionDb::tune(const Tuning& tuning) {
  const std::lock_guard lock(tuning_mutex_);
  std::string noted;
  rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), meta_, kUsageScenarioKey, &noted);
  if (!status.ok() && !status.IsNotFound()) return fail(error(status, "reading"));
  const auto scenario = usage_scenario_name(tuning.scenario);
  const bool is_noted = status.ok() ? noted == scenario : tuning.scenario == UsageScenario::kNormal;
  if (tuning == tuning_ && is_noted) return {};
  // Noted before, since leaving kBulkLoad with its many files stops writes until they are
  // compacted; or after, when they are stopped now. Nobody waits for that here.
  rocksdb::WriteOptions at_once = write_options_;
  at_once.no_slowdown = true;
  auto note = [&] { return db_->Put(at_once, meta_, kUsageScenarioKey, std::string(scenario)); };
  rocksdb::Status noting = is_noted ? rocksdb::Status::OK() : note();
  status = db_->SetOptions(rows_, tuned_options(tuning));
  if (!status.ok()) return fail(error(status, "changing the options of"));
  tuning_ = tuning;
  if (noting.IsIncomplete()) noting = note();
  if (!noting.ok()) return fail(error(noting, "writing to"));
  return {};
}

void PartitionDb::set_compaction_policy(CompactionPolicy policy) {
  if (hooks_.compaction_filter) hooks_.compaction_filter->set_policy(std::move(policy));
}

// RocksDB's flush looks at no earlier error, and on a torn log makes it one beyond repair.
Result<int64_t> PartitionDb::checkpoint(const std::string& path) {
  TRY(health());
  rocksdb::Env& env = *db_options_.env;
  if (env.FileExists(path).ok()) {
    return fail(
        Code::kAlreadyExists,
        fmt::format("a checkpoint of the database {} cannot go to {}: something is there already",
                    path_, path));
  }
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(path);  // flushes both families first
  if (!status.ok()) return fail(error(status, fmt::format("making the checkpoint {} of", path)));
  auto decree = finish_checkpoint(path);
  if (decree) return decree;
  const auto deleted = delete_folder(env, path);
  if (deleted) return decree;
  return fail(std::move(decree.error()).with_context(deleted.error().message()));
}

// Takes the log out of a checkpoint: it holds writes from after the flush, and Pegasus's
// checkpoints have none. What was flushed is whole by itself (atomic_flush).
Result<int64_t> PartitionDb::finish_checkpoint(const std::string& path) {
  rocksdb::Env& env = *db_options_.env;
  std::vector<std::string> names;
  rocksdb::Status status = env.GetChildren(path, &names);
  for (const std::string& name : names) {
    if (status.ok() && name.ends_with(".log")) status = env.DeleteFile(file_in(path, name));
  }
  if (!status.ok()) return fail(error(status, fmt::format("making the checkpoint {} of", path)));
  return read_decree(db_options_, path);
}

}  // namespace pegmove::store
