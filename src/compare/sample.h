// Sampling: chooses the ranges of the key space that are compared, so that most rows are not read.
//
// No request of Pegasus selects rows by a hash without reading every row, so choosing hash keys by
// a hash would save nothing. Instead, slices of neighbouring rows are compared, spread over the
// whole key space of each residue class: compare a slice, leap over many rows, compare the next
// slice. A slice is a range of keys, and both sides are read within the same range, so that the
// compared rows are compared exactly.
//
// The length of a leap in keys is learned: LearnedKeys records which bytes occur at which place of
// a key, and so estimates how many rows are between two keys, once a slice has shown their density.
// What it does not know yet (is there a byte beyond those seen?) it finds by a seek to the next
// key. So the share that is compared is near the requested share, not exactly equal, and rows in
// sparse regions are more likely to be compared.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::compare {

struct SampleOptions {
  double share = 1;   // 0 < share <= 1
  uint64_t seed = 0;  // the same seed on the same rows selects the same slices
};

// "1/64" or "0.05". Errors: kInvalidArgument.
Result<double> parse_share(std::string_view text);

class LearnedKeys {
 public:
  // The key exists.
  void learn(std::string_view key);
  // No key with the first `place` bytes of `prefix` has a greater byte there than the known ones.
  void saturate(size_t place);

  struct Leap {
    std::string to;           // seek to the first key after this
    double rows = 0;          // how many rows that skips, estimated
    size_t place = kNoPlace;  // when `to` is just after the known bytes at this place
    std::string prefix{};     // the bytes before that place
  };
  static constexpr size_t kNoPlace = SIZE_MAX;

  // The density of rows: this many in the range from one key to another.
  struct Stretch {
    std::string begin;
    std::string end;
    int64_t rows = 0;
  };
  // A leap from `from` over about `rows` rows, if they are as dense as in the densest of the
  // ranges: a range with a gap makes rows look rare. A leap that would leave the known bytes ends
  // there, with `place` set, and has skipped fewer. An empty `to`: the ranges do not help; continue
  // without a leap.
  Leap leap(const std::vector<Stretch>& stretches, std::string_view from, double rows) const;

 private:
  static constexpr size_t kPlaces = 256;  // bytes after these are ignored

  struct Place {
    std::bitset<256> bytes;
    bool saturated = false;

    double radix() const { return double(bytes.count()); }
    double rank(uint8_t byte) const;  // the number of smaller known bytes
    int nth(int rank) const;          // the known byte with this rank
    int greatest() const;
  };

  struct Density {
    size_t level;        // among all keys with the same bytes before this place
    double rows_of_all;  // the number of rows
  };
  std::optional<Density> measure(const Stretch& stretch) const;
  double fraction(std::string_view key, size_t place) const;
  std::string spell(std::string prefix, double fraction, double resolution) const;

  std::vector<Place> places_;
};

// The sizes of slices and leaps of one class. Slices begin small, so that a small table is also
// sampled, and grow, so that a large one does not consist of seeks only.
class SlicePlan {
 public:
  SlicePlan(SampleOptions options, int class_number, int64_t slices_before)
      : options_(options), class_number_(class_number), number_(slices_before) {}

  int64_t slice_rows() const;
  // How many rows to leap over after the slice that was just compared; random, by the seed.
  double next_leap_rows(int64_t rows_compared);
  int64_t slices() const { return number_; }

 private:
  SampleOptions options_;
  int class_number_;
  int64_t number_;
};

}  // namespace pegmove::compare
