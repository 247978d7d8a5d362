// The log of a partition for duplication: every write of the partition's own clients, from a decree
// on, until every remote cluster has confirmed it.
//
// One log is better than two: an entry is a value in the partition's own RocksDB, in the family
// `pegasus_meta_cf`, and it is in the same WriteBatch as the rows of its mutation. So rows and entry
// appear together or not at all, whatever ends the process, and nothing has to be matched after a
// restart. Real servers ignore these keys, as they do the last timestamp. Rows that are ingested,
// and what other clusters' DUPLICATE requests write, are not in the log.
//
//   pegmove_duplication_log             begins_after, id, last: whether the log is kept
//   pegmove_duplication_log/<decree>    (8 bytes, big endian) an entry: previous decree in the log,
//                                       timestamp, the requests' codes and bodies, and a checksum
//
// Each entry names the one before it, so that a hole cannot be missed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::store {

// The numbers are on disk.
enum class LoggedCode : uint8_t { kPut = 1, kMultiPut = 2, kRemove = 3, kMultiRemove = 4 };

// One write request as its client sent it.
struct LoggedWrite {
  LoggedCode code;
  std::string_view body;
};

struct LoggedMutation {
  int64_t decree = 0;
  int64_t timestamp_us = 0;
  std::vector<LoggedWrite> writes;  // not empty; in the order in which they were applied
};

// Consecutive mutations of a log.
struct LogPiece {
  std::vector<LoggedMutation> mutations;  // views into `owner`
  std::shared_ptr<const void> owner;
  // Of the last mutation, or, when the end of the log was reached, that of the partition's last
  // successful write, which may be higher: the log holds no others up to it.
  int64_t last_decree = 0;
  bool is_end = false;
};

struct LogBacklog {
  int64_t mutations = 0;
  int64_t bytes = 0;                // of the requests' bodies
  int64_t oldest_timestamp_us = 0;  // 0: nothing waits
};

}  // namespace pegmove::store
