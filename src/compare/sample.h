// Sampling: which stretches of the key space are compared, so that most rows are not even read.
//
// No request of Pegasus selects rows by a hash without reading every row, so choosing hash keys by
// a hash would save nothing. Instead, slices of neighbouring rows are compared, spread over the
// whole key space of each gcd class: compare a slice, leap over many, compare the next. A slice is
// a range of keys, and both sides are read within the same range, so that what was compared was
// compared exactly.
//
// How far a leap goes in keys is learned: LearnedKeys notes which bytes stand at which place of a
// key, and so knows roughly how many rows lie between two keys, when a slice has shown how dense
// they are. What it does not know yet (is there a byte beyond those that were seen?) it asks for by
// a seek to the next key. So the share that is compared is near the share that was asked for, not
// exactly it, and rows in sparse regions are more likely to be compared.
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
  uint64_t seed = 0;  // the same seed on the same rows chooses the same slices
};

// "1/64" or "0.05". Errors: kInvalidArgument.
Result<double> parse_share(std::string_view text);

class LearnedKeys {
 public:
  // The key exists.
  void learn(std::string_view key);
  // No key with the first `place` bytes of `prefix` has a greater byte there than those known.
  void saturate(size_t place);

  struct Leap {
    std::string to;           // seek to the first key behind this
    double rows = 0;          // how many rows that skips, by estimate
    size_t place = kNoPlace;  // when `to` lies just behind the known bytes at this place
    std::string prefix{};     // what stands before that place
  };
  static constexpr size_t kNoPlace = SIZE_MAX;

  // How dense rows lie: a stretch from one key to another has that many.
  struct Stretch {
    std::string begin;
    std::string end;
    int64_t rows = 0;
  };
  // From `from` on over about `rows` rows, if they are as dense as in the densest of the stretches:
  // one that reaches over a gap makes rows look rare. A leap that would leave what is known ends
  // there, with `place` set, and has skipped fewer. An empty `to`: the stretches tell nothing; go
  // on without a leap.
  Leap leap(const std::vector<Stretch>& stretches, std::string_view from, double rows) const;

 private:
  static constexpr size_t kPlaces = 256;  // bytes behind these are not looked at

  struct Place {
    std::bitset<256> bytes;
    bool saturated = false;

    double radix() const { return double(bytes.count()); }
    double rank(uint8_t byte) const;  // known bytes that are less
    int nth(int rank) const;          // the known byte of that rank
    int greatest() const;
  };

  struct Density {
    size_t level;        // among all keys with the same bytes before this place
    double rows_of_all;  // there are so many rows
  };
  std::optional<Density> measure(const Stretch& stretch) const;
  double fraction(std::string_view key, size_t place) const;
  std::string spell(std::string prefix, double fraction, double resolution) const;

  std::vector<Place> places_;
};

// The sizes of slices and leaps of one class. Slices begin small, so that a small table is sampled
// too, and grow, so that a large one is not all seeks.
class SlicePlan {
 public:
  SlicePlan(SampleOptions options, int class_number, int64_t slices_before)
      : options_(options), class_number_(class_number), number_(slices_before) {}

  int64_t slice_rows() const;
  // How many rows to leap over behind the slice that was just compared; random, by the seed.
  double next_leap_rows(int64_t rows_compared);
  int64_t slices() const { return number_; }

 private:
  SampleOptions options_;
  int class_number_;
  int64_t number_;
};

}  // namespace pegmove::compare
