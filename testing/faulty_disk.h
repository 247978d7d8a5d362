// A disk that misbehaves, for tests of what RocksDB keeps on it. Files are real files in real
// folders, but each operation passes here first, and the test says what becomes of it: it is
// carried out, refused, done in part, done and reported as failed, or the last one before a power
// cut.
//
// A power cut takes what was not synced: the ends of files, and what names in a folder became since
// the folder was synced. Some of it may have reached the disk before: files lose their ends
// independently of each other; of the changes of one folder the first ones are kept, in their
// order. Nothing is ever really synced, and RocksDB's second of rest after a failed flush is left
// out, so that tests are quick.
//
// Only the creation of logs ("*.log") never fails and is not asked about: when it does, RocksDB 7.8
// keeps a reference that nobody releases (DBImpl::ScheduleFlushes), and where it has assertions it
// ends the process when the database is closed.
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

namespace pegmove::testing {

// One operation that changes the disk; reads are not watched.
struct DiskOperation {
  enum class Kind { kCreate, kAppend, kSync, kRename, kRemove, kLink, kMakeFolder, kSyncFolder };
  int64_t number;  // from 1
  Kind kind;
  std::string path;
};

struct DiskFault {
  enum class Kind {
    kNone,
    kRefused,   // it fails, and nothing is done
    kTorn,      // it fails; of an append the first half is done
    kLate,      // it is done, and reported as failed
    kPowerCut,  // as kTorn, and so are all that follow, until restore_power()
  };
  Kind kind = Kind::kNone;
  bool is_full = false;  // reported as a full disk, from which RocksDB recovers
};

class FaultyFileSystem;

// Safe from any thread, but for restore_power(). Info logs and locks of RocksDB pass unseen.
class FaultyDisk {
 public:
  // `trash`: a folder on the same file system, made if missing. What is removed waits there, since
  // a power cut may bring it back: as "7.000012.log", the seventh file.
  explicit FaultyDisk(const std::string& trash);
  ~FaultyDisk();
  rocksdb::Env* env() const { return env_.get(); }

  // Bytes that may still be appended. What does not fit is written in part and then refused.
  void set_space(int64_t bytes);
  void set_endless_space();

  // Decides about each operation from now on, on the thread that wants it, and may block it there.
  void set_plan(std::function<DiskFault(const DiskOperation&)> plan);
  int64_t operations() const;  // so far
  bool has_power() const;

  // Loses what a power cut loses, and works again, without a plan. Everything that uses the disk
  // must be closed.
  void restore_power(std::mt19937_64& random);

 private:
  std::shared_ptr<FaultyFileSystem> files_;  // shared with env_
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace pegmove::testing
