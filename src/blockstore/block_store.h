// The port to a block store, which holds backups and files for loads. Implementations: a folder, a
// real HDFS and an S3 bucket (local_store.h, hdfs_store.h, s3_store.h).
//
// Paths are relative to the store's root, with single slashes between their parts and none at the
// ends; "" is the root. No part is empty, "." or "..": check_path() (path.h) checks that, and each
// store refuses such paths with kInvalidArgument.
//
// Every call blocks; coroutines use async_store.h. All are safe from any thread, also in parallel.
// Errors name the store, the path and the operation. kNotFound; kUnreachable, kTimeout and kBusy:
// the same call may succeed later; kRefused (access); kUnauthenticated; kIo; kCorrupt;
// kUnsupported; kInterrupted after stop().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::blockstore {

struct Entry {
  std::string name;  // the last part of its path
  bool is_folder = false;
  int64_t size = 0;      // bytes; 0 for a folder
  std::string md5 = {};  // 32 hexadecimal digits, or "" if the store does not know it

  bool operator==(const Entry&) const = default;
};

// An upload of a file. The complete file appears at its path in finish(), or not at all: an upload
// that is destroyed before leaves at most remains that the next upload to the path replaces. For
// one caller at a time.
class Upload {
 public:
  virtual ~Upload() = default;
  // After an error it may only be destroyed.
  virtual Result<void> append(std::string_view bytes) = 0;
  // `md5` is that of all bytes. Replaces a file at the path. The store's own checksum, if it has
  // one, is compared with the appended bytes. Errors: also kCorrupt, when they differ.
  virtual Result<void> finish(const std::string& md5) = 0;
};

// Compares a file of the store with the bytes that are fed, by the store's own checksum, or by
// reading the file if it has none. For one caller at a time.
class Proof {
 public:
  virtual ~Proof() = default;
  virtual void feed(std::string_view bytes) = 0;
  virtual Result<bool> holds() = 0;
};

class BlockStore {
 public:
  virtual ~BlockStore() = default;

  // For people: "hdfs_x (hdfs_service hdfs://nn:8020/)".
  virtual std::string description() const = 0;
  // The best size of a read or an append, in bytes.
  virtual size_t chunk_bytes() const = 0;

  // The entries of a folder, by name. A missing folder: kNotFound, or no entries if folders are
  // only parts of names.
  virtual Result<std::vector<Entry>> list(const std::string& path) = 0;
  // Errors: kNotFound.
  virtual Result<Entry> stat(const std::string& path) = 0;
  // `size` bytes from `offset`, fewer only at the end of the file. Errors: kNotFound.
  virtual Result<std::string> read(const std::string& path, int64_t offset, size_t size) = 0;
  // The same into the caller's memory, which has room for `size` bytes. Returns how many were read.
  virtual Result<size_t> read_into(const std::string& path, int64_t offset, char* to, size_t size) {
    const auto bytes = TRY(read(path, offset, size));
    return bytes.copy(to, size);
  }
  // Missing parent folders are created.
  virtual Result<std::unique_ptr<Upload>> create(const std::string& path) = 0;
  // The same for a file of this machine that will not change any more, and that the store takes
  // over without copying it; append() gets its bytes all the same. Null if the store cannot do
  // that.
  virtual Result<std::unique_ptr<Upload>> take(const std::string& /*local_path*/,
                                               const std::string& /*path*/) {
    return nullptr;
  }
  // Errors: kNotFound.
  virtual Result<std::unique_ptr<Proof>> prove(const std::string& path) = 0;
  // Removes a file, or a folder with its contents. Succeeds when it does not exist.
  virtual Result<void> remove(const std::string& path) = 0;
  // Renames a file or a folder; replaces a file. Errors: kNotFound, kUnsupported (S3).
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;

  // Only a local_service has sidecars (local_store.h). The same store for reading, where files
  // count without them, and have no md5. Null: this store needs none.
  virtual std::unique_ptr<BlockStore> without_sidecars() { return nullptr; }
  // Writes the sidecar of a file, which the caller has found to be whole, with this MD5. Replaces
  // one. Errors: kNotFound, kUnsupported.
  virtual Result<void> write_sidecar(const std::string& path, const std::string& /*md5*/) {
    return fail(Code::kUnsupported, description() + ": " + path + " needs no sidecar");
  }

  // Calls that wait for the network end with kInterrupted, current and later ones.
  virtual void stop() {}
};

}  // namespace pegmove::blockstore
