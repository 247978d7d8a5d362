// The bytes of a duplication log (store/duplication_log.h) in the family `pegasus_meta_cf`:
//
//   pegmove_duplication_log             begins_after id: the log is kept
//   pegmove_duplication_log/<decree>    an entry; the decree is 8 bytes, big endian
//   pegmove_duplication_log_broken      why it cannot be read; absent: it can
//   pegmove_duplication_log_last_id     of the log that was begun last; stays when it is dropped
//   pegmove_duplication_log_end         covered last mutations bytes, written with each write
//
// The numbers of all but the entries are decimal, with one space between them. An entry, in little
// endian: CRC-32C of all that follows (4 bytes); its decree, that of the entry before it, its
// timestamp, mutations and bytes of the log before it (8 bytes each); number of writes (4); code
// (1) and length (4) of each write; their bodies.
//
// Beside the folder is PATH.duplication_log with the id. A copy of the folder, such as a checkpoint
// or a backup, comes without it: its log belongs to another partition and is dropped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/duplication_log.h"

namespace pegmove::store {

inline constexpr const char* kLogKey = "pegmove_duplication_log";  // begins the others, too
inline constexpr const char* kLogBrokenKey = "pegmove_duplication_log_broken";
inline constexpr const char* kLogEndKey = "pegmove_duplication_log_end";
inline constexpr const char* kLogLastIdKey = "pegmove_duplication_log_last_id";
inline constexpr const char* kLogIdSuffix = ".duplication_log";
// What an entry takes besides its bodies, about, with its key.
inline constexpr int64_t kEntryOverhead = 100;

// How far a log is.
struct LogEnd {
  int64_t covered = 0;    // every write of a client up to this decree is in the log
  int64_t last = 0;       // the decree of the last entry; begins_after when there is none
  int64_t mutations = 0;  // all that were ever in the log, those that were trimmed too
  int64_t bytes = 0;      // of their bodies

  bool operator==(const LogEnd&) const = default;
};

struct LogEntry {
  int64_t previous = 0;          // the decree of the entry before; of the first: begins_after
  int64_t mutations_before = 0;  // LogEnd's counts as they were without this entry
  int64_t bytes_before = 0;
  LoggedMutation mutation;
};

std::string entry_key(int64_t decree);
// Above the keys of all entries, and below what else the log has.
std::string entries_end();
// Nothing: it is no key of an entry.
std::optional<int64_t> decree_of(std::string_view key);

// `end`: of the log before the entry. Precondition: the bodies have less than 4 GiB.
std::string encode_entry(const LoggedMutation& mutation, const LogEnd& end);
// Views into the value. Errors: kCorrupt, with what is wrong: not more, so that callers name the
// log.
Result<LogEntry> decode_entry(int64_t decree, std::string_view value);
// The end of the log behind the entry.
LogEnd end_after(const LogEnd& end, const LoggedMutation& mutation);

std::string encode_start(const LogStart& start);
std::optional<LogStart> decode_start(std::string_view text);
std::string encode_end(const LogEnd& end);
std::optional<LogEnd> decode_end(std::string_view text);

}  // namespace pegmove::store
