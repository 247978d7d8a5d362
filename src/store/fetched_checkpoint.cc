#include "store/fetched_checkpoint.h"

#include <fmt/format.h>
#include <rocksdb/db.h>

#include <limits>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"
#include "store/folder.h"
#include "store/layout.h"
#include "store/status.h"

namespace pegmove::store {
namespace {

// RocksDB would write a file LOG into the folder.
class NoLogFile : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

// Missing files, and options that contradict the files, are damage here.
Error damage_or_io(const rocksdb::Status& status, std::string_view doing, const std::string& path) {
  const auto why = to_error(status, doing, path);
  const bool is_system = why.code() == Code::kIo && !status.IsPathNotFound();
  return {is_system ? Code::kIo : Code::kCorrupt, why.message()};
}

// A database that is open outside of a PartitionDb.
class OpenedCheckpoint {
 public:
  enum class Access { kRead, kWrite };
  static Result<OpenedCheckpoint> open(const std::string& path, Access access) {
    PartitionOptions partition{.path = path};
    auto options = make_db_options(partition, {});
    options.listeners.clear();
    options.info_log = std::make_shared<NoLogFile>();
    TRY(check_families(options, path));
    rocksdb::DB* opened = nullptr;
    OpenedCheckpoint checkpoint;
    const auto families = make_families(partition, {});
    const auto status =
        access == Access::kRead
            ? rocksdb::DB::OpenForReadOnly(options, path, families, &checkpoint.families_, &opened)
            : rocksdb::DB::Open(options, path, families, &checkpoint.families_, &opened);
    if (!status.ok()) return fail(damage_or_io(status, "opening the checkpoint", path));
    checkpoint.db_.reset(opened);
    return checkpoint;
  }
  OpenedCheckpoint(OpenedCheckpoint&&) = default;
  OpenedCheckpoint& operator=(OpenedCheckpoint&&) = delete;
  ~OpenedCheckpoint() {
    if (!db_) return;
    for (auto* family : families_) db_->DestroyColumnFamilyHandle(family);
    db_->Close().PermitUncheckedError();
  }

  rocksdb::DB& db() { return *db_; }
  rocksdb::ColumnFamilyHandle* meta() { return families_[1]; }

  bool has_log() {
    const std::unique_ptr<rocksdb::Iterator> keys(db_->NewIterator(rocksdb::ReadOptions(), meta()));
    keys->Seek(kDuplicationLogKeys);
    return keys->Valid() && keys->key().starts_with(kDuplicationLogKeys);
  }

 private:
  OpenedCheckpoint() = default;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

Result<int64_t> number_of(OpenedCheckpoint& checkpoint, const std::string& path, const char* key,
                          int64_t most, Code code) {
  std::string text;
  const auto status = checkpoint.db().Get(rocksdb::ReadOptions(), checkpoint.meta(), key, &text);
  if (!status.ok() && !status.IsNotFound())
    return fail(to_error(status, "reading the checkpoint", path));
  const auto number = base::parse_integer(text, 0, most);
  if (!number)
    return fail(
        code, fmt::format("the checkpoint {}: {} is \"{}\", which is no number from 0 to {}", path,
                          key, base::printable(text), most));
  return *number;
}

}  // namespace

Result<int64_t> check_fetched_checkpoint(const std::string& path) {
  auto checkpoint = TRY(OpenedCheckpoint::open(path, OpenedCheckpoint::Access::kRead));
  TRY(number_of(checkpoint, path, kDataVersionKey, 1, Code::kUnsupported));
  const auto decree = TRY(number_of(checkpoint, path, kLastFlushedDecreeKey,
                                    std::numeric_limits<int64_t>::max(), Code::kCorrupt));
  rocksdb::ReadOptions options;
  options.readahead_size = 1 << 20;
  const auto status = checkpoint.db().VerifyChecksum(options);
  if (!status.ok()) return fail(damage_or_io(status, "reading the checkpoint", path));
  return decree;
}

Result<void> drop_log_of_master(const std::string& path) {
  {
    auto checkpoint = TRY(OpenedCheckpoint::open(path, OpenedCheckpoint::Access::kRead));
    if (!checkpoint.has_log()) return {};
  }
  auto checkpoint = TRY(OpenedCheckpoint::open(path, OpenedCheckpoint::Access::kWrite));
  std::string end = kDuplicationLogKeys;
  ++end.back();  // behind all keys that begin so
  auto& db = checkpoint.db();
  rocksdb::WriteOptions write;
  write.sync = true;
  auto status = db.DeleteRange(write, checkpoint.meta(), kDuplicationLogKeys, end);
  if (status.ok())
    status = db.Flush(rocksdb::FlushOptions(), {db.DefaultColumnFamily(), checkpoint.meta()});
  if (!status.ok()) return fail(to_error(status, "dropping the log of the checkpoint", path));
  return {};
}

}  // namespace pegmove::store
