// Who carries the units of a split out: this process, or others that do as it would.
#pragma once

#include <functional>
#include <vector>

#include "migration/split/split.h"

namespace pegmove::migration {

// Told on the executor of the caller.
struct EngineEvents {
  std::function<bool()> should_stop;                                         // from any thread
  std::function<void(size_t unit, const splitter::RowCounts&)> on_progress;  // so far
  // Errors: kProtocol: that is no result of the unit.
  std::function<Result<void>(size_t unit, splitter::UnitResult)> on_done;
  backup::FailpointListener on_failpoint;
};

class UnitEngine {
 public:
  virtual ~UnitEngine() = default;
  // Those units of the plan, in any order, some at once. Errors: kInterrupted; those of
  // carry_out_unit(); the engine's own. Units that are done by then were told.
  virtual Task<> carry_out(const SplitRequest& request, const splitter::SplitPlan& plan,
                           std::vector<size_t> units, EngineEvents events) = 0;
};

// One unit, wherever its rows come from. Errors: those of splitter/split.h and split_scan.h.
Task<splitter::UnitResult> carry_out_unit(const SplitRequest& request, const RowOrigin& origin,
                                          const splitter::SplitTarget& target,
                                          const splitter::SplitPlan& plan, size_t unit,
                                          splitter::UnitEvents events);

// As many at once as the request's limits say. Origin and target outlive it.
class LocalUnits : public UnitEngine {
 public:
  LocalUnits(const RowOrigin& origin, const splitter::SplitTarget& target)
      : origin_(origin), target_(target) {}
  Task<> carry_out(const SplitRequest& request, const splitter::SplitPlan& plan,
                   std::vector<size_t> units, EngineEvents events) override;

 private:
  const RowOrigin& origin_;
  const splitter::SplitTarget& target_;
};

}  // namespace pegmove::migration
