// The texts of a copy: the progress line, and the report at its end.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "journal/run.h"
#include "migration/copy/copy.h"

namespace pegmove::migration {

// Remembers the previous status, for the speed since then.
class CopySpeed {
 public:
  journal::Progress progress_of(const CopyStatus& status);

 private:
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
