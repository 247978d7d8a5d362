#include "shell/progress_line.h"

#include <ostream>

namespace pegmove::shell {

void ProgressLine::print(async::milliseconds elapsed, int splits_done, int splits, int64_t rows,
                         std::string_view note, bool failed) {
  auto seconds = (elapsed.count() + 500) / 1000;
  to_ << "INFO: processed for " << seconds << " seconds, (" << splits_done << "/" << splits
      << ") splits, total " << rows << " rows" << note << ", last second " << rows - last_rows_
      << " rows" << (failed ? ", error occurred, terminating..." : "") << std::endl;
  last_rows_ = rows;
}

}  // namespace pegmove::shell
