// The line a second by which copy_data, clear_data and count_data show that they go on.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "async/clock.h"

namespace pegmove::shell {

class ProgressLine {
 public:
  explicit ProgressLine(std::ostream& to) : to_(to) {}

  // "INFO: processed for 3 seconds, (1/4) splits, total 300 rows, last second 100 rows", with the
  // note behind the total and, when it has failed, ", error occurred, terminating..." at the end.
  void print(async::milliseconds elapsed, int splits_done, int splits, int64_t rows,
             std::string_view note = "", bool failed = false);

 private:
  std::ostream& to_;
  int64_t last_rows_ = 0;
};

}  // namespace pegmove::shell
