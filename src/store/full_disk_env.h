// A disk that becomes full, for tests: the file system of the default Env, with a limit on what is
// appended to files.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>

namespace pegmove::store {

// Bytes that may still be appended. What does not fit is written in part and then refused, as a
// real file system does. Safe from any thread.
class DiskSpace {
 public:
  void set(int64_t bytes) { left_ = bytes; }
  void set_endless() { left_ = std::numeric_limits<int64_t>::max(); }
  // Takes up to `wanted` bytes, returns how many there were.
  int64_t take(int64_t wanted) {
    int64_t left = left_;
    while (!left_.compare_exchange_weak(left, left - std::min(left, wanted))) {
    }
    return std::min(left, wanted);
  }

 private:
  std::atomic<int64_t> left_ = std::numeric_limits<int64_t>::max();
};

class LimitedFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  LimitedFile(std::unique_ptr<rocksdb::FSWritableFile> file, DiskSpace& space)
      : FSWritableFileOwnerWrapper(std::move(file)), space_(space) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    const auto fits = static_cast<size_t>(space_.take(static_cast<int64_t>(data.size())));
    const rocksdb::IOStatus status =
        FSWritableFileOwnerWrapper::Append({data.data(), fits}, options, debug);
    if (!status.ok() || fits == data.size()) return status;
    rocksdb::IOStatus full = rocksdb::IOStatus::NoSpace("the test's disk is full");
    full.SetRetryable(true);
    return full;
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& /*verification*/,
                           rocksdb::IODebugContext* debug) override {
    return Append(data, options, debug);
  }

 private:
  DiskSpace& space_;
};

class LimitedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit LimitedFileSystem(DiskSpace& space)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), space_(space) {}
  const char* Name() const override { return "LimitedFileSystem"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const auto status = FileSystemWrapper::NewWritableFile(name, options, &file, debug);
    if (status.ok()) *result = std::make_unique<LimitedFile>(std::move(file), space_);
    return status;
  }

 private:
  DiskSpace& space_;
};

inline std::unique_ptr<rocksdb::Env> make_full_disk_env(DiskSpace& space) {
  return rocksdb::NewCompositeEnv(std::make_shared<LimitedFileSystem>(space));
}

}  // namespace pegmove::store
