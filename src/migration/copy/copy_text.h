// The texts of a copy: the progress line, and the report at its end.
#pragma once

#include <deque>
#include <nlohmann/json_fwd.hpp>

#include "journal/run.h"
#include "migration/copy/copy.h"

namespace pegmove::migration {

// Remembers the last statuses, for the speed since then.
class CopySpeed {
 public:
  // With percent and ETA when the number of rows is known. The ETA is that of the last ten
  // seconds' speed: the last partitions are copied with fewer lanes than the first.
  journal::Progress progress_of(const CopyStatus& status);

 private:
  struct Seen {
    async::milliseconds at{0};
    int64_t rows = 0;  // handled
  };
  double recent_speed(Seen now);

  std::deque<Seen> seen_;
  std::optional<int64_t> first_rows_;
  int64_t rows_ = 0, bytes_ = 0;
  async::milliseconds at_{0};
};

// The names of both ends, for texts.
struct CopyEnds {
  std::string from, table, to, to_table;
};

nlohmann::ordered_json to_json(const CopyReport& report, const std::string& run,
                               const CopyEnds& ends);
std::string to_text(const CopyReport& report, const CopyEnds& ends);

}  // namespace pegmove::migration
