#include "compare/progress_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/units.h"

namespace pegmove::compare {

std::string ProgressText::line(const CompareCounts& so_far, async::milliseconds elapsed) {
  using base::format_count;
  const auto rows = so_far.source_rows + so_far.target_rows;
  const auto passed = (elapsed - std::exchange(at_, elapsed)).count();
  const auto speed = double(rows - std::exchange(rows_, rows)) * 1000 / double(passed + 1);
  auto text = fmt::format("{}: {} rows, {} rows/s read on both sides, differences {}", doing_,
                          format_count(uint64_t(so_far.source_rows)),
                          format_count(uint64_t(std::max(speed, 0.0))),
                          format_count(uint64_t(so_far.differing())));
  if (so_far.not_settled > 0)
    text += ", kept changing " + format_count(uint64_t(so_far.not_settled));
  return text;
}

}  // namespace pegmove::compare
