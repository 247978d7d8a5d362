// The log of a partition for duplication: every write of the partition's own clients, from a decree
// on, until every remote cluster has confirmed it.
//
// One log is better than two: an entry is a value in the partition's own RocksDB, in the family
// `pegasus_meta_cf`, and it is in the same WriteBatch as the rows of its mutation. So rows and
// entry appear together or not at all, whatever ends the process, and nothing has to be matched
// after a restart. Real servers ignore these keys, as they do the last timestamp. Rows that are
// ingested, and what other clusters' DUPLICATE requests write, are not in the log.
//
// The functions are those of PartitionDb (store/partition_db.h); the bytes are described in
// store/log_format.h. Each entry names the one before it, so that a hole cannot be missed.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace pegmove::store {

// The numbers are on disk.
enum class LoggedCode : uint8_t { kPut = 1, kMultiPut = 2, kRemove = 3, kMultiRemove = 4 };

// One write request: the code, and the body as DUPLICATE carries it.
struct LoggedWrite {
  LoggedCode code = LoggedCode::kPut;
  std::string_view body;
};

struct LoggedMutation {
  int64_t decree = 0;
  int64_t timestamp_us = 0;
  std::vector<LoggedWrite> writes;  // not empty; in the order in which they were applied
};

// A log that is kept. The id is the same until the log is dropped, and a log that is begun
// afterwards has a higher one: so targets recognize late requests of an earlier log. It is made of
// the seconds since 1970 and 30 random bits, and is above all ids that the folder remembers. Ids do
// not rise when the folder was lost, or set back, and the clock too: what a target does then is in
// store/received_positions.h.
struct LogStart {
  int64_t begins_after = 0;  // a decree: the log has what is above it
  uint64_t id = 0;
};

// Consecutive mutations of a log. One without mutations that is not at the end says that the log
// has none up to last_decree: read on from there.
struct LogPiece {
  uint64_t log_id = 0;                    // LogStart::id
  std::vector<LoggedMutation> mutations;  // views into `owner`
  // Shared: a piece is sent to several targets, and again after an error.
  std::shared_ptr<const void> owner;
  // Of the last mutation, or a higher one up to which the log holds no others; with is_end that of
  // the partition's last successful write.
  int64_t last_decree = 0;
  bool is_end = false;  // the end of the log, as it was when it was read
};

struct LogBacklog {
  int64_t mutations = 0;
  int64_t bytes = 0;                // of the requests' bodies
  int64_t oldest_timestamp_us = 0;  // 0: nothing waits
};

}  // namespace pegmove::store
