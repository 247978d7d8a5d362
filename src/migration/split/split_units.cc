#include "migration/split/split_units.h"

#include "async/for_each.h"
#include "migration/split/split_scan.h"

namespace pegmove::migration {

using splitter::RowCounts;
using splitter::SplitPlan;
using splitter::UnitResult;

Task<UnitResult> carry_out_unit(const SplitRequest& request, const RowOrigin& origin,
                                const splitter::SplitTarget& target, const SplitPlan& plan,
                                size_t unit, splitter::UnitEvents events) {
  if (origin.table)
    co_return co_await scan_unit(origin.table, target, plan, unit, request.limits,
                                 std::move(events));
  co_return co_await splitter::carry_out_unit({.store = *origin.store, .place = request.from},
                                              target, plan, unit, request.limits,
                                              std::move(events));
}

Task<> LocalUnits::carry_out(const SplitRequest& request, const SplitPlan& plan,
                             std::vector<size_t> units, EngineEvents events) {
  async::Semaphore working(request.limits.units_at_once);
  co_return co_await async::for_each(
      units.size(), size_t(request.limits.units_at_once) + 1,
      [&](size_t i) -> Task<> {  // outlives: this frame
        const auto unit = units[i];
        auto result = CO_TRY(co_await carry_out_unit(
            request, origin_, target_, plan, unit,
            {.working = &working,
             .should_stop = events.should_stop,
             .on_progress = [&,
                             unit](const RowCounts& counts) { events.on_progress(unit, counts); },
             .on_failpoint = events.on_failpoint}));
        co_return events.on_done(unit, std::move(result));
      });
}

}  // namespace pegmove::migration
