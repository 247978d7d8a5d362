#include "store/disk.h"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "base/local_file.h"

namespace pegmove::store {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// RocksDB's own does not say with which error number it failed.
class Folder : public rocksdb::FSDirectory {
 public:
  Folder(base::Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    if (::fsync(descriptor_.get()) == 0) return IOStatus::OK();
    const int number = errno;
    if (base::cannot_sync_folders(number)) return IOStatus::OK();
    const auto failed = "syncing the folder " + path_;
    return number == ENOSPC ? IOStatus::NoSpace(failed, std::strerror(number))
                            : IOStatus::IOError(failed, std::strerror(number));
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    descriptor_.close();
    return IOStatus::OK();
  }

 private:
  base::Descriptor descriptor_;
  std::string path_;
};

class Disk : public rocksdb::FileSystemWrapper {
 public:
  Disk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "PegmoveDisk"; }

  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    base::Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto failed = "opening the folder " + path;
    if (!folder.is_open() && errno == ENOENT) return IOStatus::PathNotFound(failed);
    if (!folder.is_open()) return IOStatus::IOError(failed, std::strerror(errno));
    *result = std::make_unique<Folder>(std::move(folder), path);
    return IOStatus::OK();
  }

  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override {
    if (::link(from.c_str(), to.c_str()) == 0) return IOStatus::OK();
    if (errno == EPERM || errno == ENOSYS)
      return IOStatus::NotSupported("hard links on this file system");
    return target()->LinkFile(from, to, options, debug);  // for RocksDB's own error
  }
};

}  // namespace

rocksdb::Env& disk() {
  static rocksdb::Env* const env = rocksdb::NewCompositeEnv(std::make_shared<Disk>()).release();
  return *env;
}

}  // namespace pegmove::store
