#include "store/partition_log.h"

#include <fmt/format.h>
#include <rocksdb/convenience.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <limits>
#include <random>
#include <utility>

#include "base/small_file.h"
#include "base/units.h"
#include "store/layout.h"
#include "store/status.h"

namespace pegmove::store {
namespace {

constexpr size_t kIdFileBytes = 64;
// Deleting is a range in RocksDB, which costs each later read a little: not for a few entries.
constexpr int64_t kDeletedAtOnceBytes = int64_t{4} << 20;
// Files are rewritten when they hold that much more than twice what the log has.
constexpr int64_t kLooseBytes = int64_t{64} << 20;

int64_t disk_bytes_between(const LogEnd& from, const LogEnd& to) {
  return to.bytes - from.bytes + (to.mutations - from.mutations) * kEntryOverhead;
}

// Ids have 63 bits: they are read as signed numbers. The seconds are enough until the year 2242.
constexpr int kRandomIdBits = 30;
constexpr int64_t kMostIdSeconds = (int64_t{1} << (63 - kRandomIdBits)) - 1;

}  // namespace

PartitionLog::PartitionLog(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& meta,
                           const std::string& path, LogSync* log_sync,
                           std::function<Result<void>()> flush,
                           std::function<int64_t()> unix_seconds)
    : db_(db),
      meta_(meta),
      path_(path),
      log_sync_(log_sync),
      flush_(std::move(flush)),
      unix_seconds_(std::move(unix_seconds)) {}

Error PartitionLog::failed(const rocksdb::Status& status) const {
  return to_error(status, "keeping the duplication log of", path_);
}

Error PartitionLog::broken(std::string_view why) const {
  return {Code::kCorrupt,
          fmt::format("the duplication log of the database {} is broken: {}; nothing behind it is "
                      "shipped: remove the duplication, and make the target's table again with "
                      "add_dup -s",
                      path_, why)};
}

std::string PartitionLog::id_path() const { return path_ + kLogIdSuffix; }

Result<std::optional<std::string>> PartitionLog::get(const char* key) const {
  std::string text;
  const rocksdb::Status status = db_.Get(rocksdb::ReadOptions(), &meta_, key, &text);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return fail(failed(status));
  return text;
}

Result<void> PartitionLog::write(rocksdb::WriteBatch& batch, bool is_durable) {
  rocksdb::WriteOptions options;
  options.sync = log_sync_ == nullptr;
  const rocksdb::Status status = db_.Write(options, &batch);
  if (!status.ok()) return fail(failed(status));
  return is_durable ? sync_writes() : Result<void>();
}

// All writes that have returned are durable afterwards.
Result<void> PartitionLog::sync_writes() {
  if (!log_sync_) return {};
  const std::lock_guard syncing(syncing_);
  if (log_sync_->take_failed())
    if (auto flushed = flush_(); !flushed) {
      log_sync_->put_back_failed();
      return flushed;
    }
  const rocksdb::Status status = log_sync_->sync();
  if (!status.ok()) return fail(failed(status));
  return {};
}

std::unique_ptr<rocksdb::Iterator> PartitionLog::new_iterator() const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;  // an entry is read once for each target
  return std::unique_ptr<rocksdb::Iterator>(db_.NewIterator(options, &meta_));
}

// ---- when the database is opened ----

Result<void> PartitionLog::open(int64_t last_decree) {
  const auto text = TRY(get(kLogKey));
  if (!text) return {};
  const std::lock_guard lock(mutex_);
  const auto start = decode_start(*text);
  if (!TRY(has_id(start))) {
    TRY(delete_all());
    return finish_drop();
  }
  start_ = *start;
  broken_ = TRY(get(kLogBrokenKey)).value_or("");
  TRY(find_end(last_decree));
  TRY(find_first_entry());
  is_kept_ = true;
  resize_memtable(true);
  return {};
}

// Whether the log was begun in this place.
Result<bool> PartitionLog::has_id(const std::optional<LogStart>& start) const {
  const auto text = TRY(base::read_file(id_path(), kIdFileBytes));
  return start && text && *text == std::to_string(start->id);
}

Result<void> PartitionLog::find_end(int64_t last_decree) {
  const auto end = decode_end(TRY(get(kLogEndKey)).value_or(""));
  const int64_t covered = end ? end->covered : start_.begins_after;
  end_ = end.value_or(LogEnd{.last = start_.begins_after});
  end_.covered = last_decree;
  if (!broken_.empty()) return {};
  if (!end) return mark_broken("it does not say where it ends");
  if (covered < last_decree)
    return mark_broken(
        fmt::format("decrees {} to {} are not in it: they were written by a program that keeps no "
                    "such log",
                    covered + 1, last_decree));
  if (covered > last_decree)
    return mark_broken(fmt::format("it has decrees up to {}, and the partition has them up to {}",
                                   covered, last_decree));
  return {};
}

// What was trimmed and not deleted yet.
Result<void> PartitionLog::find_first_entry() {
  deleted_ = end_;
  deleted_.last = start_.begins_after;
  const auto entries = new_iterator();
  entries->Seek(entry_key(0));
  if (!entries->status().ok()) return fail(failed(entries->status()));
  const auto decree = entries->Valid() ? decree_of(entries->key().ToStringView()) : std::nullopt;
  if (!decree) return {};
  deleted_.last = std::min(*decree - 1, start_.begins_after);
  if (const auto first = decode_entry(*decree, entries->value().ToStringView())) {
    deleted_.mutations = first->mutations_before;
    deleted_.bytes = first->bytes_before;
  }
  return {};
}

std::string PartitionLog::older_copy(int64_t decree) const {
  return fmt::format(
      "decree {} has been shipped, and the last one here is {}: the folder was replaced by an "
      "older copy",
      decree, end_.covered);
}

// On disk: with the next writes it could not be seen any more. Precondition: mutex_ is held.
Result<void> PartitionLog::mark_broken(std::string why) {
  broken_ = std::move(why);
  rocksdb::WriteBatch batch;
  batch.Put(&meta_, kLogBrokenKey, broken_);
  return write(batch, true);
}

// While a log is kept the family has more than its numbers, and a full memtable of it is flushed
// together with that of the rows. A failure leaves it as it is: it costs time only.
void PartitionLog::resize_memtable(bool is_kept) {
  const size_t bytes = is_kept ? kMetaMemtableBytesWithLog : kMetaMemtableBytes;
  db_.SetOptions(&meta_, {{"write_buffer_size", std::to_string(bytes)}}).PermitUncheckedError();
}

// ---- begin and end ----

// Above that of each log that was begun here before.
Result<uint64_t> PartitionLog::next_id() const {
  const int64_t seconds = unix_seconds_ ? unix_seconds_() : 0;
  std::random_device random;
  const auto by_time = (std::clamp<int64_t>(seconds, 0, kMostIdSeconds) << kRandomIdBits) |
                       int64_t(random() >> (32 - kRandomIdBits));
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const auto last = base::parse_integer(TRY(get(kLogLastIdKey)).value_or("0"), 0, kMost - 1);
  return uint64_t(last ? std::max(by_time, *last + 1) : by_time);
}

std::optional<LogStart> PartitionLog::start() const {
  const std::lock_guard lock(mutex_);
  return is_kept_ ? std::optional(start_) : std::nullopt;
}

Result<int64_t> PartitionLog::begin(int64_t last_decree) {
  if (is_kept_) {
    TRY(sync());
    return last_decree;
  }
  const std::lock_guard removing(removing_);
  const LogStart start{.begins_after = last_decree, .id = TRY(next_id())};
  const LogEnd end{.covered = last_decree, .last = last_decree};
  TRY(base::replace_file(id_path(), std::to_string(start.id)));
  rocksdb::WriteBatch batch;
  batch.Delete(&meta_, kLogBrokenKey);
  batch.Put(&meta_, kLogKey, encode_start(start));
  batch.Put(&meta_, kLogEndKey, encode_end(end));
  batch.Put(&meta_, kLogLastIdKey, std::to_string(start.id));
  TRY(write(batch, true));
  is_dropping_ = false;
  {
    const std::lock_guard lock(mutex_);
    start_ = start;
    end_ = synced_ = deleted_ = end;
    broken_.clear();
    is_kept_ = true;
  }
  resize_memtable(true);
  return last_decree;
}

Result<void> PartitionLog::drop() {
  if (is_kept_) {
    {
      const std::lock_guard lock(mutex_);
      TRY(delete_all());
      // From here on writes must not add to it, whatever fails below.
      is_kept_ = false;
    }
    is_dropping_ = true;
  }
  if (!is_dropping_) return {};
  TRY(finish_drop());
  // Not before: on a disk that fails syncs it would make RocksDB refuse everything.
  resize_memtable(false);
  return {};
}

Result<void> PartitionLog::delete_all() {
  rocksdb::WriteBatch batch;
  for (const char* key : {kLogKey, kLogEndKey, kLogBrokenKey}) batch.Delete(&meta_, key);
  batch.DeleteRange(&meta_, entry_key(0), entries_end());
  return write(batch, false);
}

Result<void> PartitionLog::finish_drop() {
  TRY(sync_writes());
  is_dropping_ = false;
  // Left behind it does no harm: the next log has another id.
  std::error_code error;
  std::filesystem::remove(id_path(), error);
  return {};
}

// ---- writes ----

rocksdb::Status PartitionLog::add(rocksdb::WriteBatch& batch, int64_t decree,
                                  std::span<const LoggedMutation> logged, LogEnd& end) const {
  if (!is_kept_) return rocksdb::Status::OK();
  {
    const std::lock_guard lock(mutex_);
    end = end_;
  }
  for (const auto& mutation : logged) {
    const auto status = batch.Put(&meta_, entry_key(mutation.decree), encode_entry(mutation, end));
    if (!status.ok()) return status;
    end = end_after(end, mutation);
  }
  end.covered = decree;
  return batch.Put(&meta_, kLogEndKey, encode_end(end));
}

void PartitionLog::wrote(const LogEnd& end) {
  if (!is_kept_) return;
  const std::lock_guard lock(mutex_);
  end_ = end;
}

// ---- trimming ----

Result<void> PartitionLog::trim(int64_t upto) {
  {
    const std::lock_guard lock(mutex_);
    if (!is_kept_) return fail(Code::kNotFound, "the database " + path_ + " keeps no such log");
    if (upto > end_.covered) {
      if (broken_.empty()) TRY(mark_broken(older_copy(upto)));
      return fail(broken(broken_));
    }
    if (upto <= start_.begins_after) return {};
    const LogStart start{.begins_after = upto, .id = start_.id};
    rocksdb::WriteBatch batch;
    batch.Put(&meta_, kLogKey, encode_start(start));
    LogEnd trimmed = TRY(end_at(upto));
    const bool deletes = disk_bytes_between(deleted_, trimmed) >= kDeletedAtOnceBytes;
    // Ranges that do not overlap: RocksDB keeps each border once for each range around it.
    if (deletes) batch.DeleteRange(&meta_, entry_key(deleted_.last + 1), entry_key(upto + 1));
    TRY(write(batch, false));
    start_ = start;
    if (!deletes) return {};
    deleted_ = trimmed;
    deleted_.last = upto;
  }
  return reclaim();
}

// The end of the log as it was when this decree was the last one. Precondition: mutex_ is held.
Result<LogEnd> PartitionLog::end_at(int64_t decree) const {
  const auto entries = new_iterator();
  entries->Seek(entry_key(decree + 1));
  if (!entries->status().ok()) return fail(failed(entries->status()));
  LogEnd end = end_;
  const auto next = entries->Valid() ? decree_of(entries->key().ToStringView()) : std::nullopt;
  if (!next) return end;
  const auto entry = decode_entry(*next, entries->value().ToStringView());
  if (!entry) return end;  // read() says what is wrong with it
  end.last = entry->previous;
  end.mutations = std::min(end.mutations, entry->mutations_before);
  end.bytes = std::min(end.bytes, entry->bytes_before);
  return end;
}

// Whatever fails here is tried again with the next entries that are deleted.
Result<void> PartitionLog::reclaim() {
  std::string last = entries_end();
  {
    const std::lock_guard removing(removing_);
    int64_t live = 0;
    {
      const std::lock_guard lock(mutex_);
      if (is_kept_) last = entry_key(start_.begins_after);
      if (is_kept_) live = disk_bytes_between(deleted_, end_);
    }
    uint64_t files = 0;
    db_.GetIntProperty(&meta_, rocksdb::DB::Properties::kLiveSstFilesSize, &files);
    if (int64_t(files) < kLooseBytes + 2 * live) return {};
    // A removed file is gone at once, also after a power cut: so must be what was in it.
    TRY(sync_writes());
    const std::string first = entry_key(0);
    const rocksdb::Slice from(first), to(last);
    rocksdb::DeleteFilesInRange(&db_, &meta_, &from, &to, false).PermitUncheckedError();
  }
  const std::string first = entry_key(0);
  const rocksdb::Slice from(first), to(last);
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  db_.CompactRange(options, &meta_, &from, &to).PermitUncheckedError();
  return {};
}

}  // namespace pegmove::store
