// What of the logs of other clusters' partitions is in this partition: how DUPLICATE requests that
// come twice are carried out once.
//
// For each source partition there is one value in the family `pegasus_meta_cf`, in the WriteBatch
// of the rows that came from there:
//
//   pegmove_received/<cluster id>/<app id>/<partition index>
//       log id, decree, write index, timestamp, decree here
//
// all decimal, with one space between them. Real servers ignore these keys.
//
// What was received before: an entry whose position is not behind the noted one, and whose
// timestamp is not later than the noted one. Within a source partition timestamps rise from
// mutation to mutation, also over restarts, and a log that is begun later has a higher id: so both
// hold for each entry that comes again, also for a late request of an earlier log. The timestamp
// tells them from entries that have the position of others: those that a source writes after its
// whole data folder was set back, log id included, to an earlier state. Such entries are new here.
// They are mistaken for known ones only when the source's clock was set back with the folder.
//
// At most kMostSources are remembered. One more takes the place of the one from which nothing has
// come for the longest time, by the decrees here, which is exact and the same after a restart. What
// is lost with it: requests of that source which come again are carried out again, over what was
// written here since; what is new is carried out as always.
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
#include <set>
#include <tuple>
#include <utility>

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
  int32_t write_index = 0;   // within its mutation
  int64_t timestamp_us = 0;  // of the mutation, by the source's clock

  bool operator==(const ReceivedPosition&) const = default;
  // Whether an entry at that position was received, when this one is the last that was.
  bool covers(const ReceivedPosition& entry) const {
    return std::tie(entry.log_id, entry.decree, entry.write_index) <=
               std::tie(log_id, decree, write_index) &&
           entry.timestamp_us <= timestamp_us;
  }
};

// One write of a batch can note one position.
struct Received {
  SourcePartition source;
  ReceivedPosition position;
};

// All for one caller at a time, that of PartitionDb::write().
class ReceivedPositions {
 public:
  static constexpr size_t kMostSources = 4096;

  // Once, before all others. Keys that are not understood are ignored. Errors: of RocksDB.
  rocksdb::Status open(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& meta);
  // Nothing: none is known.
  std::optional<ReceivedPosition> find(const SourcePartition& source) const;
  // add() to the batch, wrote() when it is written. `decree`: of the batch.
  rocksdb::Status add(rocksdb::WriteBatch& batch, const Received& received, int64_t decree) const;
  void wrote(const Received& received, int64_t decree);

 private:
  struct Known {
    ReceivedPosition position;
    int64_t used = 0;  // the decree of the batch that noted it
  };
  // Whose place the source takes. Null: nobody's.
  const SourcePartition* replaced_by(const SourcePartition& source) const;

  rocksdb::ColumnFamilyHandle* meta_ = nullptr;
  std::map<SourcePartition, Known> known_;
  std::set<std::pair<int64_t, SourcePartition>> by_use_;  // those of known_
};

}  // namespace pegmove::store
