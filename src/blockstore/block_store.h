// The port to a block store: the place where backups and files to be loaded lie. A folder, a real
// HDFS and an S3 bucket are behind it (local_store.h, hdfs_store.h, s3_store.h).
//
// Paths are relative to the store's root, with single slashes between their parts and none at the
// ends; "" is the root. No part is empty, "." or "..": check_path() (path.h) says so, and each
// store refuses what it would refuse with kInvalidArgument.
//
// Every call blocks; coroutines use async_store.h. All are safe from any thread, also side by side.
// Errors name the store, the path and what was being done. kNotFound; kUnreachable, kTimeout and
// kBusy: the same call may succeed later; kRefused (access); kUnauthenticated; kIo; kCorrupt;
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
  std::string md5 = {};  // 32 hexadecimal digits, or "" where the store does not know it

  bool operator==(const Entry&) const = default;
};

// A file on its way into the store. It is seen under its path when finish() has returned, whole, or
// not at all: what is destroyed before that leaves nothing but what the next upload to the path
// replaces. For one caller at a time.
class Upload {
 public:
  virtual ~Upload() = default;
  // After an error only destruction may follow.
  virtual Result<void> append(std::string_view bytes) = 0;
  // `md5` is that of all bytes. Replaces what was at the path. The store's own checksum, where it
  // has one, is compared with what was appended. Errors: also kCorrupt, when they differ.
  virtual Result<void> finish(const std::string& md5) = 0;
};

// Whether a file of the store has the bytes that are fed, by the store's own checksum of what it
// holds, or by reading it where it has none. For one caller at a time.
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
  // How many bytes a read or an append does best with.
  virtual size_t chunk_bytes() const = 0;

  // What lies in a folder, by name. A folder that is not there: kNotFound, or nothing where folders
  // are only parts of names.
  virtual Result<std::vector<Entry>> list(const std::string& path) = 0;
  // Errors: kNotFound.
  virtual Result<Entry> stat(const std::string& path) = 0;
  // `size` bytes from `offset`, fewer only where the file ends. Errors: kNotFound.
  virtual Result<std::string> read(const std::string& path, int64_t offset, size_t size) = 0;
  // The same into the caller's memory, which has room for `size` bytes: how many they are.
  virtual Result<size_t> read_into(const std::string& path, int64_t offset, char* to, size_t size) {
    const auto bytes = TRY(read(path, offset, size));
    return bytes.copy(to, size);
  }
  // The folders above are made.
  virtual Result<std::unique_ptr<Upload>> create(const std::string& path) = 0;
  // The same for a file of this machine that nobody will change any more, and that the store takes
  // in without copying it: append() gets its bytes all the same. Null where the store cannot.
  virtual Result<std::unique_ptr<Upload>> take(const std::string& /*local_path*/,
                                               const std::string& /*path*/) {
    return nullptr;
  }
  // Errors: kNotFound.
  virtual Result<std::unique_ptr<Proof>> prove(const std::string& path) = 0;
  // A file, or a folder with all that is in it. Nothing there is no error.
  virtual Result<void> remove(const std::string& path) = 0;
  // A file or a folder; replaces a file. Errors: kNotFound, kUnsupported (S3).
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;

  // Calls that wait for the network end with kInterrupted, now and from now on.
  virtual void stop() {}
};

}  // namespace pegmove::blockstore
