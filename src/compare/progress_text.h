// The progress line of a comparison.
#pragma once

#include <string>

#include "async/clock.h"
#include "compare/residue_class_comparison.h"

namespace pegmove::compare {

// Remembers the previous counts, for the speed since then.
class ProgressText {
 public:
  // "verifying"
  explicit ProgressText(std::string doing) : doing_(std::move(doing)) {}
  std::string line(const CompareCounts& so_far, async::milliseconds elapsed);

 private:
  const std::string doing_;
  int64_t rows_ = 0;
  async::milliseconds at_{0};
};

}  // namespace pegmove::compare
