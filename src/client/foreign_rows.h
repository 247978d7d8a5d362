// Foreign rows: rows in a partition to which their keys do not belong.
//
// A partition split leaves the rows of the new partition in the old one until a compaction, and
// servers show them again when the table has lost its app env replica.split.validate_partition_hash
// (a restore of older versions loses it). A duplication between unequal partition counts misplaces
// rows. Requests for a key never reach them, so they are not rows of the table. Which partition a
// key belongs to: record/hash.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "client/partition_router.h"

namespace pegmove::client {

// A row that a scan has left out.
struct ForeignRow {
  // What the partition that the key belongs to has.
  enum class Home { kNotRead, kHasRow, kHasNone };
  std::string key;  // raw
  Home home = Home::kNotRead;
};

// Many of them. Those whose own partition has no row of the same key are strays: they may be writes
// that were misplaced, and are lost when foreign rows are removed.
struct ForeignRows {
  static constexpr size_t kMostListed = 100;
  static constexpr size_t kMostListedBytes = 16 << 10;  // of keys

  int64_t rows = 0;
  int64_t read = 0;    // of these, their keys in the partitions to which they belong
  int64_t strays = 0;  // of those that were read
  std::vector<std::string> stray_keys{};  // raw; the first ones, bounded as above

  // Counts another row.
  void add(const ForeignRow& row);
  // Adds what was found out about a row that `rows` contains already.
  void note(const ForeignRow& row);
  ForeignRows& operator+=(const ForeignRows& other);
  bool operator==(const ForeignRows&) const = default;

 private:
  void list(const std::string& key);
};

// Reads the keys of these rows, in parallel, in the partitions to which they belong, and sets
// `home`. Rows that expire meanwhile count as absent. Ends at the first read that fails, or after
// five seconds: the other rows stay as they were. Safe to repeat.
Routine<> find_homes(PartitionRouter& router, std::span<ForeignRow> rows, Deadline deadline);

}  // namespace pegmove::client
