// What a cutover would do now: for `pegmove cutover --dry-run` and for the wait before it. Changes
// nothing.
#pragma once

#include <string>
#include <vector>

#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

struct CutoverForecast {
  std::vector<std::string> hinders{};  // what would make it fail or wait now; empty: nothing known
  int64_t not_shipped = 0;             // mutations that the target does not have yet
  int64_t not_persisted = 0;           // of the others: what the meta server has not noted yet
  // Writes are held at least and at most for so long, as far as it is pegmove's; at most:
  // max_write_hold, when it is given back.
  async::milliseconds least_hold{0};
  async::milliseconds most_hold{0};
};

// Errors: none of its own; what cannot be asked hinders.
Routine<CutoverForecast> forecast_cutover(CutoverPorts ports, CutoverPlan plan, Deadline deadline);

// Several lines, for people.
std::string to_text(const CutoverForecast& forecast);

}  // namespace pegmove::migration::hot
