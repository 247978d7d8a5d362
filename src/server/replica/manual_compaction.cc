#include "server/replica/manual_compaction.h"

#include <algorithm>
#include <ctime>

namespace pegmove::server::replica {
namespace {

// The unix time of a minute of the local day that contains `now`.
int64_t minute_of_today(int minute, int64_t now) {
  std::time_t time = now;
  std::tm day{};
  localtime_r(&time, &day);
  day.tm_hour = minute / 60;
  day.tm_min = minute % 60;
  day.tm_sec = 0;
  day.tm_isdst = -1;
  return std::mktime(&day);
}

}  // namespace

std::optional<CompactionPlan::How> compaction_due(const CompactionPlan& plan, int64_t last_end,
                                                  int64_t now) {
  if (plan.is_disabled || plan.most_running <= 0) return std::nullopt;
  const auto once = plan.once_trigger_unix_seconds;
  if (once > last_end && once <= now) return plan.once;
  const bool periodic = std::ranges::any_of(plan.daily_minutes, [&](int minute) {
    const auto at = minute_of_today(minute, now);
    return last_end < at && at <= now;
  });
  if (periodic) return plan.periodic;
  return std::nullopt;
}

}  // namespace pegmove::server::replica
