#include "migration/hot/forecast.h"

#include <fmt/format.h>

#include "migration/hot/clocks.h"
#include "migration/hot/cutover.h"
#include "migration/hot/drain.h"
#include "migration/hot/fence.h"
#include "migration/hot/route_switch.h"

namespace pegmove::migration::hot {
namespace {

void add_backlog(CutoverForecast& forecast, const Progress& reading, const TableView& view) {
  for (const auto& progress : reading) {
    forecast.not_shipped += std::max<int64_t>(progress.last_committed - progress.confirmed, 0);
    forecast.not_persisted += std::max<int64_t>(progress.confirmed - progress.persisted, 0);
  }
  if (reading.size() < view.size())
    forecast.hinders.push_back(
        fmt::format("{} of {} partitions do not tell how far they are shipped",
                    view.size() - reading.size(), view.size()));
}

Task<> forecast_backlog(CutoverPorts ports, CutoverPlan plan, CutoverForecast& forecast,
                        Deadline deadline) {
  const auto view = CO_TRY(co_await ports.source.view(deadline));
  const auto reading = CO_TRY(co_await ports.source.progress(view, plan.shipping, deadline));
  add_backlog(forecast, reading, view);
  co_return Result<void>();
}

// Errors: also kBusy: a cutover would wait for the target's clocks.
Task<> forecast_clocks(CutoverPorts ports, Deadline deadline) {
  const auto of_source = CO_TRY(co_await ports.source.times(deadline));
  const auto of_target = CO_TRY(co_await ports.target.times(deadline));
  if (of_source.empty() || of_target.empty()) co_return Result<void>();  // nobody serves
  const auto later = find_later_clock(of_source, of_target);
  if (later) co_return fail(Code::kBusy, to_text(*later, ports.source, ports.target));
  co_return Result<void>();
}

}  // namespace

Routine<CutoverForecast> forecast_cutover(CutoverPorts ports, CutoverPlan plan, Deadline deadline) {
  CutoverForecast forecast{
      .least_hold = ports.source.envs_act_within() + plan.readings_apart,
      .most_hold = plan.max_write_hold,
  };
  const auto note = [&](const Error& error) { forecast.hinders.push_back(error.to_string()); };
  if (const auto fits = give_back_at(plan, ports.source, ports.clock.now()); !fits)
    note(fits.error());
  const auto before = co_await read_before(ports.nodes, ports.clock, plan, deadline);
  if (!before) note(before.error());
  if (const auto free = co_await check_not_denied(ports.source, deadline); !free)
    note(free.error());
  FenceProof proof(plan.fence);
  const auto serve = co_await see_members_serve(
      ports.source, ports.clock, proof,
      Deadline::in(ports.clock, async::milliseconds(3'000)).earlier(deadline));
  if (!serve) note(serve.error());
  const auto backlog = co_await forecast_backlog(ports, plan, forecast, deadline);
  if (!backlog) note(backlog.error());
  if (plan.later_time_wins) {
    const auto passed = co_await forecast_clocks(ports, deadline);
    if (!passed) note(passed.error());
  }
  co_return forecast;
}

std::string to_text(const CutoverForecast& forecast) {
  auto text = fmt::format(
      "writes would be held for at least {:.1f} s, and at most {:.1f} s when the cutover is given "
      "back (--max-write-hold)\nnot shipped yet: {} mutations; shipped and not noted by the meta "
      "server: {}\n",
      double(forecast.least_hold.count()) / 1e3, double(forecast.most_hold.count()) / 1e3,
      forecast.not_shipped, forecast.not_persisted);
  for (const auto& hinders : forecast.hinders) text += fmt::format("hinders: {}\n", hinders);
  return text;
}

}  // namespace pegmove::migration::hot
