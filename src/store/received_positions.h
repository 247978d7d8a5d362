// What of the logs of other clusters' partitions is in this partition: how DUPLICATE requests that
// come twice are carried out once.
//
// For each source partition there is one value in the family `pegasus_meta_cf`, in the WriteBatch
// of the rows that came from there:
//
//   pegmove_received/<cluster id>/<app id>/<partition index>    log id, decree, write index
//
// all decimal, with one space between the three. Real servers ignore these keys.
//
// Checkpoints, backups and copies of the folder have them, and keep them: every row that came up
// to that position is in the copy too, with what was written over it since. So whoever opens the
// copy and gets these entries must skip them as well.
#pragma once

#include <rocksdb/db.h>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>

#include "base/result.h"

namespace pegmove::store {

struct SourcePartition {
  int32_t cluster_id = 0;
  int32_t app_id = 0;
  int32_t partition_index = 0;

  auto operator<=>(const SourcePartition&) const = default;
};

// Of one write in a log for duplication (store/duplication_log.h). No number is negative.
struct ReceivedPosition {
  int64_t log_id = 0;
  int64_t decree = 0;
  int32_t write_index = 0;  // within its mutation

  bool operator==(const ReceivedPosition&) const = default;
};

// One write of a batch can note one position.
struct Received {
  SourcePartition source;
  ReceivedPosition position;
};

// All for one caller at a time, that of PartitionDb::write().
class ReceivedPositions {
 public:
  // Of further source partitions nothing is remembered.
  static constexpr size_t kMostSources = 4096;

  // Once, before all others. Keys that are not understood are ignored. Errors: of RocksDB.
  rocksdb::Status open(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& meta);
  // Nothing: none is known.
  std::optional<ReceivedPosition> find(const SourcePartition& source) const;
  // add() to the batch, wrote() when it is written.
  rocksdb::Status add(rocksdb::WriteBatch& batch, const Received& received) const;
  void wrote(const Received& received);

 private:
  bool has_room_for(const SourcePartition& source) const {
    return positions_.size() < kMostSources || positions_.contains(source);
  }

  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  std::map<SourcePartition, ReceivedPosition> positions_;
};

}  // namespace pegmove::store
