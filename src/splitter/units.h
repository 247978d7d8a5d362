// How a table of S partitions becomes one of T partitions without a shuffle.
//
// A key's partition is hash % count. With g = gcd(S, T), hash % S and hash % T leave the same
// remainder by g: the target partitions congruent to c mod g draw from the source partitions
// congruent to c mod g alone. So there are g independent classes, each a merge of S/g sorted
// sources fanned out to T/g targets; and since a target's files may not overlap, a class can be cut
// further at keys, which need not exist.
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

  int32_t classes() const;
  // The partitions of a class, ascending.
  std::vector<int32_t> sources_of(int32_t which) const;
  std::vector<int32_t> targets_of(int32_t which) const;
};

// The keys from `from` on, and before `to` ("": to the end), of one class.
struct Unit {
  int32_t which = 0;  // class
  std::string from;
  std::string to;
  int64_t rows = 0;  // of its sources' files, roughly: for progress

  bool operator==(const Unit&) const = default;
};

// How much there is of a class, and how much of it is before a key, roughly.
struct ClassSize {
  int64_t bytes = 0;
  int64_t rows = 0;
  std::function<Result<int64_t>(const std::string& key)> bytes_before;
};

// Cuts a class into at most `pieces` units of about the same size, in key order: fewer where sizes
// do not tell keys apart. Errors: those of bytes_before().
Result<std::vector<Unit>> cut_class(int32_t which, const ClassSize& size, int64_t pieces);

}  // namespace pegmove::splitter
