// DUPLICATE requests by hand and with views, for the same reason as row_messages.h: they carry
// hundreds of rows. Source: idl/duplication_internal.thrift and mutation_duplicator in Pegasus.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/row_messages.h"

namespace pegmove::wire {

// Where an entry is in its source's log: our fields, see idl/data.thrift. Hostile until checked:
// the numbers may be negative.
struct DuplicatePosition {
  int64_t decree = 0;
  int32_t write_index = 0;  // within its mutation

  auto operator<=>(const DuplicatePosition&) const = default;
};

// duplicate_source: the log that the entries of a request come from. -1: not there.
struct DuplicateSource {
  int32_t app_id = 0;
  int32_t partition_index = 0;
  int64_t log_id = 0;

  bool operator==(const DuplicateSource&) const = default;
};

// duplicate_entry: one write of another cluster. raw_message is the body of that write's request.
struct DuplicateEntryView {
  int64_t timestamp_us = 0;  // of the write, unix time
  std::string_view task_code;
  std::string_view raw_message;
  int8_t cluster_id = 0;
  bool verify_timetag = false;
  std::optional<DuplicatePosition> position = {};  // nothing: from a real source, or a copy
};

struct DuplicateRequestView {
  std::vector<DuplicateEntryView> entries;
  std::optional<DuplicateSource> source;  // nothing: from a real source, or a copy
};

// Errors: kProtocol. Views point into `body`.
Result<DuplicateRequestView> decode_duplicate(std::string_view body);

// What all entries of one request have in common.
struct DuplicateStamp {
  int64_t timestamp_us = 0;
  int8_t cluster_id = 0;
  bool verify_timetag = false;
};

// Appends the body of a DUPLICATE request whose entries are PUTs: add() exactly `entries` times,
// then finish(). Each row is copied once, into the buffer that is sent.
class DuplicatePutsWriter {
 public:
  DuplicatePutsWriter(std::string& out, const DuplicateStamp& stamp, uint32_t entries);
  void add(const PutView& put);
  void finish();

  // An upper bound of what add() appends, in bytes.
  static size_t most_entry_bytes(std::string_view key, std::string_view value) {
    return key.size() + value.size() + kEntryOverhead;
  }

 private:
  static constexpr size_t kEntryOverhead = 80;

  std::string& out_;
  std::string before_;  // the bytes of an entry up to the size of its raw_message
  std::string after_;   // those after its raw_message
};

// Appends the body of a DUPLICATE request with any entries: add() exactly `entries` times, then
// finish(). Fields as real servers write them, verify_timetag only when it is set; and ours, when
// they are given.
class DuplicateWriter {
 public:
  DuplicateWriter(std::string& out, uint32_t entries);
  void add(const DuplicateEntryView& entry);
  void finish(const std::optional<DuplicateSource>& source);

  // What add() appends, and what the constructor and finish() append at most, in bytes.
  static size_t entry_bytes(const DuplicateEntryView& entry) {
    return kEntryOverhead + entry.task_code.size() + entry.raw_message.size() +
           (entry.verify_timetag ? 4 : 0) + (entry.position ? kPositionBytes : 0);
  }
  static constexpr size_t kSourceBytes = 3 + (3 + 4) + (3 + 4) + (3 + 8) + 1;
  static constexpr size_t kBodyOverhead = 3 + (3 + 1 + 4) + kSourceBytes + 2;

 private:
  // Headers of four fields, the timestamp, two sizes, the cluster id, the STOP.
  static constexpr size_t kEntryOverhead = (3 + 8) + (3 + 4) + (3 + 4) + (3 + 1) + 1;
  static constexpr size_t kPositionBytes = (3 + 8) + (3 + 4);

  std::string& out_;
};

}  // namespace pegmove::wire
