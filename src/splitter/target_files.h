// The SST files of one target partition, written on this machine in key order, one after the other.
#pragma once

#include <rocksdb/sst_file_writer.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::splitter {

// A complete file on this machine.
struct FinishedFile {
  int32_t partition = 0;
  std::string name;  // in the partition's folder
  std::string path;  // here
  int64_t rows = 0;
  std::string digest;  // 32 hexadecimal digits, of the rows: the file itself contains random ids

  bool operator==(const FinishedFile&) const = default;
};

// Blocks; for one thread at a time. The destructor removes an unfinished file.
class TargetFiles {
 public:
  // Files are called "<prefix>_<number>.sst" and end with the row that brings their keys and values
  // to `most_bytes`; in `folder`, which exists, each is at "<partition>_<name>".
  // `for_old_servers`: with checksums that the RocksDB 6.6 of Pegasus 2.0 to 2.4 can read.
  TargetFiles(int32_t partition, std::string prefix, std::string folder, int64_t most_bytes,
              bool for_old_servers);
  ~TargetFiles();
  TargetFiles(TargetFiles&& other) noexcept;

  // Keys must ascend. Returns true when the file is full: call finish() next. Errors: kIo, kCorrupt
  // (the keys do not ascend).
  Result<bool> add(std::string_view key, std::string_view value);
  // The file that is being written, if any.
  Result<std::optional<FinishedFile>> finish();

 private:
  struct Writing;
  Result<void> begin_file();

  int32_t partition_;
  std::string prefix_, folder_;
  int64_t most_bytes_;
  bool for_old_servers_;
  int number_ = 0;
  std::unique_ptr<Writing> writing_;  // the file that is being written
};

// A file with the record that real servers keep under the empty key, and that no client sees. A
// partition without rows is loaded with it, since servers refuse a partition without bytes.
Result<FinishedFile> write_empty_partition(int32_t partition, const std::string& folder,
                                           bool for_old_servers);

}  // namespace pegmove::splitter
