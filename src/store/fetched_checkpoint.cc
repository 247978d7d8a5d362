#include "store/fetched_checkpoint.h"

#include <fmt/format.h>
#include <rocksdb/db.h>

#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"
#include "store/disk.h"
#include "store/folder.h"
#include "store/layout.h"
#include "store/log_format.h"
#include "store/status.h"

namespace pegmove::store {
namespace {

// RocksDB would write a file LOG into the folder.
class NoLogFile : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

// A file whose reads end when they are stopped.
class StoppableFile : public rocksdb::RandomAccessFileWrapper {
 public:
  StoppableFile(std::unique_ptr<rocksdb::RandomAccessFile> file,
                const std::function<bool()>& is_stopped)
      : RandomAccessFileWrapper(file.get()), file_(std::move(file)), is_stopped_(is_stopped) {}
  rocksdb::Status Read(uint64_t offset, size_t size, rocksdb::Slice* result,
                       char* scratch) const override {
    if (is_stopped_()) return rocksdb::Status::Aborted("stopped");
    return file_->Read(offset, size, result, scratch);
  }
  rocksdb::Status MultiRead(rocksdb::ReadRequest* requests, size_t count) override {
    if (is_stopped_()) return rocksdb::Status::Aborted("stopped");
    return file_->MultiRead(requests, count);
  }

 private:
  std::unique_ptr<rocksdb::RandomAccessFile> file_;
  const std::function<bool()>& is_stopped_;
};

// RocksDB's checks of whole files cannot be ended otherwise.
class StoppableDisk : public rocksdb::EnvWrapper {
 public:
  explicit StoppableDisk(std::function<bool()> is_stopped)
      : EnvWrapper(&disk()), is_stopped_(std::move(is_stopped)) {}
  const char* Name() const override { return "StoppableDisk"; }
  rocksdb::Status NewRandomAccessFile(const std::string& name,
                                      std::unique_ptr<rocksdb::RandomAccessFile>* file,
                                      const rocksdb::EnvOptions& options) override {
    std::unique_ptr<rocksdb::RandomAccessFile> opened;
    const auto status = EnvWrapper::NewRandomAccessFile(name, &opened, options);
    if (status.ok()) *file = std::make_unique<StoppableFile>(std::move(opened), is_stopped_);
    return status;
  }

 private:
  const std::function<bool()> is_stopped_;
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
  static Result<OpenedCheckpoint> open(const std::string& path, Access access,
                                       rocksdb::Env* env = nullptr) {
    PartitionOptions partition{.path = path, .env = env};
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
    keys->Seek(kLogKey);
    return keys->Valid() && keys->key().starts_with(kLogKey);
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

Result<int64_t> check_on(rocksdb::Env& env, const std::string& path) {
  auto checkpoint = TRY(OpenedCheckpoint::open(path, OpenedCheckpoint::Access::kRead, &env));
  TRY(number_of(checkpoint, path, kDataVersionKey, 1, Code::kUnsupported));
  const auto decree = TRY(number_of(checkpoint, path, kLastFlushedDecreeKey,
                                    std::numeric_limits<int64_t>::max(), Code::kCorrupt));
  rocksdb::ReadOptions options;
  options.readahead_size = 1 << 20;
  const auto status = checkpoint.db().VerifyChecksum(options);
  if (!status.ok()) return fail(damage_or_io(status, "reading the checkpoint", path));
  return decree;
}

}  // namespace

Result<int64_t> check_fetched_checkpoint(const std::string& path,
                                         std::function<bool()> is_stopped) {
  StoppableDisk env(is_stopped);
  auto decree = check_on(env, path);
  if (!decree && is_stopped())
    return fail(Code::kInterrupted, fmt::format("checking the checkpoint {} was stopped", path));
  return decree;
}

Result<void> drop_log_of_master(const std::string& path) {
  {
    auto checkpoint = TRY(OpenedCheckpoint::open(path, OpenedCheckpoint::Access::kRead));
    if (!checkpoint.has_log()) return {};
  }
  auto checkpoint = TRY(OpenedCheckpoint::open(path, OpenedCheckpoint::Access::kWrite));
  std::string end = kLogKey;
  ++end.back();  // behind all keys that begin so
  auto& db = checkpoint.db();
  rocksdb::WriteOptions write;
  write.sync = true;
  auto status = db.DeleteRange(write, checkpoint.meta(), kLogKey, end);
  if (status.ok())
    status = db.Flush(rocksdb::FlushOptions(), {db.DefaultColumnFamily(), checkpoint.meta()});
  if (!status.ok()) return fail(to_error(status, "dropping the log of the checkpoint", path));
  return {};
}

}  // namespace pegmove::store
