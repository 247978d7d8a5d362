#include "splitter/store_files.h"

#include <fmt/format.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <utility>

#include "blockstore/path.h"

namespace pegmove::splitter {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus refused(const std::string& name) {
  return IOStatus::NotSupported("a checkpoint in a block store is read-only", name);
}

class RangeFile : public rocksdb::FSRandomAccessFile {
 public:
  RangeFile(StoreFiles& files, std::string name, int64_t size)
      : files_(files), name_(std::move(name)), size_(size) {}

  IOStatus Read(uint64_t offset, size_t wanted, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    *result = Slice();
    if (offset >= uint64_t(size_)) return IOStatus::OK();
    const auto most = std::min(wanted, size_t(size_) - size_t(offset));
    if (auto done = files_.read(name_, int64_t(offset), scratch, most); !done)
      return IOStatus::IOError(done.error().to_string());
    *result = Slice(scratch, most);
    return IOStatus::OK();
  }

 private:
  StoreFiles& files_;
  std::string name_;
  int64_t size_;
};

class SequentialFile : public rocksdb::FSSequentialFile {
 public:
  SequentialFile(StoreFiles& files, const std::string& name, int64_t size)
      : file_(files, name, size) {}

  IOStatus Read(size_t wanted, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) override {
    const auto status = file_.Read(at_, wanted, options, result, scratch, debug);
    at_ += result->size();
    return status;
  }
  IOStatus Skip(uint64_t bytes) override {
    at_ += bytes;
    return IOStatus::OK();
  }

 private:
  RangeFile file_;
  uint64_t at_ = 0;
};

class StoreFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit StoreFileSystem(StoreFiles& files)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), files_(files) {}
  const char* Name() const override { return "PegmoveStoreFiles"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result,
                             IODebugContext*) override {
    return open<SequentialFile>(path, *result);
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions&,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext*) override {
    return open<RangeFile>(path, *result);
  }
  IOStatus FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    return files_.size_of(blockstore::name_of(path)) ? IOStatus::OK() : IOStatus::NotFound(path);
  }
  IOStatus GetChildren(const std::string&, const IOOptions&, std::vector<std::string>* names,
                       IODebugContext*) override {
    *names = files_.names();
    return IOStatus::OK();
  }
  IOStatus GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                       IODebugContext*) override {
    const auto found = files_.size_of(blockstore::name_of(path));
    if (!found) return IOStatus::NotFound(path);
    *size = uint64_t(*found);
    return IOStatus::OK();
  }
  IOStatus IsDirectory(const std::string&, const IOOptions&, bool* is_folder,
                       IODebugContext*) override {
    *is_folder = true;
    return IOStatus::OK();
  }
  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute,
                           IODebugContext*) override {
    *absolute = path;
    return IOStatus::OK();
  }

  // Nothing is written.
  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return refused(path);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) override {
    return refused(path);
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*, IODebugContext*) override {
    return refused(path);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>*, IODebugContext*) override {
    return refused(path);
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return refused(path);
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return refused(path);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return refused(path);
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return refused(path);
  }
  IOStatus RenameFile(const std::string& path, const std::string&, const IOOptions&,
                      IODebugContext*) override {
    return refused(path);
  }
  IOStatus LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock**,
                    IODebugContext*) override {
    return refused(path);
  }

 private:
  template <typename File, typename Port>
  IOStatus open(const std::string& path, std::unique_ptr<Port>& result) {
    const auto name = blockstore::name_of(path);
    const auto size = files_.size_of(name);
    if (!size) return IOStatus::NotFound("the backup has no such file", path);
    result = std::make_unique<File>(files_, name, *size);
    return IOStatus::OK();
  }

  StoreFiles& files_;
};

}  // namespace

StoreFiles::StoreFiles(blockstore::BlockStore& store, std::string folder,
                       backup::CheckpointMetadata files)
    : store_(store),
      folder_(std::move(folder)),
      env_(rocksdb::NewCompositeEnv(std::make_shared<StoreFileSystem>(*this))) {
  for (auto& file : files.files) sizes_.emplace(std::move(file.name), file.size);
}

StoreFiles::~StoreFiles() = default;

std::optional<int64_t> StoreFiles::size_of(const std::string& name) const {
  const auto found = sizes_.find(name);
  if (found == sizes_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> StoreFiles::names() const {
  std::vector<std::string> names;
  for (const auto& [name, size] : sizes_) names.push_back(name);
  return names;
}

Result<void> StoreFiles::read(const std::string& name, int64_t offset, char* to, size_t size) {
  const auto path = blockstore::join(folder_, name);
  auto done = store_.read_into(path, offset, to, size);
  if (done && *done < size)
    done = fail(Code::kCorrupt, fmt::format("{}: {} is shorter than its backup_metadata says",
                                            store_.description(), path));
  if (done) return {};
  const std::lock_guard lock(mutex_);
  error_ = done.error();
  return fail(std::move(done.error()));
}

std::optional<Error> StoreFiles::take_error() {
  const std::lock_guard lock(mutex_);
  return std::exchange(error_, std::nullopt);
}

}  // namespace pegmove::splitter
