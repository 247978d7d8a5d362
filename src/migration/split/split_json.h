// The parts of a split as JSON: for the journal, and for the processes that carry out units.
#pragma once

#include <string>
#include <string_view>

#include "migration/split/split.h"

namespace pegmove::migration {

// The rules of a run; rows that are expired at `now_ts` (Pegasus's seconds) are left out.
splitter::SplitRules rules_of(const SplitRequest& request, uint32_t now_ts);

// What is decided once for the run. Errors of the readers: kCorrupt, naming the field.
std::string to_json(const splitter::SplitPlan& plan);
Result<splitter::SplitPlan> plan_from_json(std::string_view text, const SplitRequest& request);
// The result of a unit.
std::string to_json(const splitter::UnitResult& result);
Result<splitter::UnitResult> unit_result_from_json(std::string_view text);

// The plan in parts, for the journal: one text for each unit, and one for what they share.
std::string to_json(const splitter::Unit& unit);
std::string head_to_json(const splitter::SplitPlan& plan);
// Errors: kCorrupt, naming the field.
Result<splitter::SplitPlan> plan_from_json(std::string_view head,
                                           const std::vector<std::string>& units,
                                           const SplitRequest& request);

}  // namespace pegmove::migration
