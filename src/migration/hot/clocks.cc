#include "migration/hot/clocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"

namespace pegmove::migration::hot {
namespace {

constexpr async::milliseconds kClockQuestion{3'000};
constexpr async::milliseconds kClockPause{100};

// Repeats the question while a server does not answer.
Task<std::vector<SideTime>> read_clocks(Side& side, Clock& clock, CutoverHooks hooks,
                                        Deadline deadline) {
  while (true) {
    auto times = co_await side.times(Deadline::in(clock, kClockQuestion).earlier(deadline));
    if (times && times->empty()) times = fail(Code::kUnreachable, "no server of it runs");
    if (times || times.error().code() == Code::kNotFound) co_return times;
    if (hooks.is_stopped()) co_return fail(Code::kInterrupted, "stopped on request");
    const auto why = fmt::format("{}: the clocks of its servers cannot be read: {}", side.name(),
                                 times.error().to_string());
    if (deadline.passed(clock)) co_return fail(Code::kBusy, why);
    hooks.show_line("clocks: " + why);
    co_await clock.sleep_for(kClockPause);  // no result
  }
}

}  // namespace

std::optional<LaterClock> find_later_clock(const std::vector<SideTime>& source,
                                           const std::vector<SideTime>& target) {
  const LaterClock found{.source = *std::ranges::max_element(source, {}, &SideTime::most_us),
                         .target = *std::ranges::min_element(target, {}, &SideTime::least_us)};
  if (found.target.least_us > found.source.most_us) return std::nullopt;
  return found;
}

std::string to_text(const LaterClock& later, const Side& source, const Side& target) {
  return fmt::format("the clock of server {} of {} is {} behind that of server {} of {}",
                     later.target.node, target.name(), base::format_duration(later.behind()),
                     later.source.node, source.name());
}

Task<> await_clocks(Side& source, Side& target, Clock& clock, CutoverHooks hooks,
                    Deadline deadline) {
  const auto of_source = CO_TRY(co_await read_clocks(source, clock, hooks, deadline));
  while (true) {
    const auto of_target = CO_TRY(co_await read_clocks(target, clock, hooks, deadline));
    const auto later = find_later_clock(of_source, of_target);
    if (!later) co_return Result<void>();
    if (hooks.is_stopped()) co_return fail(Code::kInterrupted, "stopped on request");
    const auto why = to_text(*later, source, target);
    const auto left = std::chrono::duration_cast<async::milliseconds>(deadline.at - clock.now());
    if (later->behind() >= left)
      co_return fail(Code::kBusy,
                     fmt::format("{}, and relays keep the later one of two writes: synchronize the "
                                 "clocks (NTP), or give more time with --max-write-hold",
                                 why));
    hooks.show_line("clocks: " + why);
    co_await clock.sleep_for(std::min(later->behind(), kClockPause));  // no result
  }
}

}  // namespace pegmove::migration::hot
