// Engines that carry out the units of a split: this process, or others that do the same.
#pragma once

#include <functional>
#include <vector>

#include "migration/split/split.h"

namespace pegmove::migration {

// Called on the executor of the caller.
struct EngineEvents {
  std::function<bool()> should_stop;                                         // from any thread
  std::function<void(size_t unit, const splitter::RowCounts&)> on_progress;  // so far
  // Errors: kProtocol: this cannot be a result of the unit.
  std::function<Result<void>(size_t unit, splitter::UnitResult)> on_done;
  backup::FailpointListener on_failpoint;
};

class UnitEngine {
 public:
  virtual ~UnitEngine() = default;
  // Carries out these units of the plan, in any order, some at the same time. Errors: kInterrupted;
  // those of carry_out_unit(); the engine's own. on_done was called for the units that were done
  // before the error.
  virtual Task<> carry_out(const SplitRequest& request, const splitter::SplitPlan& plan,
                           std::vector<size_t> units, EngineEvents events) = 0;
};

// Carries out one unit, from a backup or a table. Errors: those of splitter/split.h and
// split_scan.h.
Task<splitter::UnitResult> carry_out_unit(const SplitRequest& request, const RowOrigin& origin,
                                          const splitter::SplitTarget& target,
                                          const splitter::SplitPlan& plan, size_t unit,
                                          splitter::UnitEvents events);

// As many at the same time as the request's limits allow. Origin and target must outlive it.
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
