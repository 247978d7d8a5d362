// Splits a table of S partitions into T partitions without a shuffle.
//
// A key's partition is hash % count. With g = gcd(S, T), hash % S and hash % T leave the same
// remainder by g: the target partitions congruent to c mod g get rows only from the source
// partitions congruent to c mod g. So there are g independent residue classes, each a merge of S/g
// sorted sources distributed to T/g targets. A target's files may not overlap, so a residue class
// can be divided further at keys, which need not exist.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace pegmove::splitter {

struct Shape {
  int32_t sources = 1;  // partition counts
  int32_t targets = 1;

  int32_t residue_classes() const;
  // The partitions of a residue class, ascending.
  std::vector<int32_t> sources_of(int32_t which) const;
  std::vector<int32_t> targets_of(int32_t which) const;
};

// The keys of one residue class from `from` on, and before `to` ("": to the end).
struct Unit {
  int32_t which = 0;  // residue class
  std::string from;
  std::string to;
  int64_t rows = 0;  // in its sources' files, approximately: for progress

  bool operator==(const Unit&) const = default;
};

// The size of a residue class, and how much of it is before a key, approximately.
struct ClassSize {
  int64_t bytes = 0;
  int64_t rows = 0;
  std::function<Result<int64_t>(const std::string& key)> bytes_before;
};

// Divides a residue class into at most `pieces` units of about the same size, in key order; fewer
// when the sizes do not distinguish keys. Errors: those of bytes_before().
Result<std::vector<Unit>> cut_residue_class(int32_t which, const ClassSize& size, int64_t pieces);

}  // namespace pegmove::splitter
