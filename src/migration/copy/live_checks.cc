#include "migration/copy/live_checks.h"

#include <algorithm>
#include <ranges>
#include <set>

namespace pegmove::migration {
namespace {

// Whether some duplication goes from the source to the target table.
const inspect::DuplicationInfo* duplication_to_target(const inspect::Inspection& inspection) {
  const auto& target = inspection.target;
  std::set<std::string> names{target.cluster};
  for (const auto& node : target.nodes)
    if (node.config) names.insert(node.config->cluster_name);
  if (!inspection.source.duplications) return nullptr;
  for (const auto& each : *inspection.source.duplications) {
    const auto& table = each.remote_table.empty() ? inspection.source.table : each.remote_table;
    if (names.contains(each.remote) && table == target.table) return &each;
  }
  return nullptr;
}

void check_both_written(const inspect::Inspection& inspection, const CopyOptions& options,
                        inspect::Findings& findings) {
  const auto* duplication = duplication_to_target(inspection);
  if (duplication && duplication->status == "DS_LOG")
    return findings.note("live-duplicated", "it is duplicated to the target",
                         inspection.source.place());
  if (options.dual_written)
    return findings.note("live-dual-written",
                         "you say that clients write to both tables; that cannot be seen",
                         inspection.source.place());
  if (duplication)
    return findings.error(
        Code::kRefused, "live-not-duplicated",
        "its duplication to the target is in state " + duplication->status + ", and ships nothing",
        inspection.source.place(), "wait for DS_LOG, or start it");
  findings.error(Code::kRefused, "live-not-duplicated",
                 inspection.source.duplications
                     ? "it is not duplicated to the target"
                     : "whether it is duplicated to the target is not known",
                 inspection.source.place(),
                 "--live needs writes that reach both tables: duplicate it first, or say "
                 "--dual-written when its clients write to both");
}

void check_atomic_writes(const inspect::SideFacts& side, inspect::Findings& findings) {
  int64_t seen = 0;
  bool known = !side.nodes.empty();
  for (const auto& node : side.nodes) {
    seen += node.atomic_writes.value_or(0);
    known &= node.atomic_writes.has_value();
  }
  if (seen > 0)
    findings.error(Code::kRefused, "live-atomic-writes",
                   std::to_string(seen) +
                       " INCR, CHECK_AND_SET or CHECK_AND_MUTATE requests were seen since its "
                       "servers started: what they write has no time, and would be overwritten",
                   side.place(), "copy without --live while nobody writes");
  else if (!known)
    findings.warning("live-atomic-writes",
                     "whether it gets INCR, CHECK_AND_SET or CHECK_AND_MUTATE is not known",
                     side.place(), "make sure that it does not");
}

}  // namespace

inspect::Findings check_live(const inspect::Inspection& inspection, const CopyOptions& options,
                             const WriteMethod& method) {
  inspect::Findings findings;
  const auto& target = inspection.target;
  if (!options.live) return findings;
  if (options.create && !target.info)
    findings.error(Code::kInvalidArgument, "live-create",
                   "--live and --create contradict each other: a table that is not there gets no "
                   "writes of clients",
                   target.place(), "make it, let writes reach both tables, then copy");
  if (method.impossible)
    findings.error(Code::kUnsupported, "live-needs-duplicate",
                   "--live needs DUPLICATE, which cannot be had: " + *method.impossible,
                   target.place(), "copy without --live while nobody writes");
  for (const auto& node : target.nodes)
    if (std::ranges::count(node.data_versions | std::views::values, 0) > 0) {
      findings.error(Code::kUnsupported, "live-data-version",
                     "its data version is 0: which of two rows is newer is not known",
                     target.place(), "copy to a table of data version 1");
      break;
    }
  if (!inspection.source.unreachable && inspection.source.info) {
    check_both_written(inspection, options, findings);
    check_atomic_writes(inspection.source, findings);
  }
  if (target.info) {
    check_atomic_writes(target, findings);
    if (!target.duplications)
      findings.warning("live-onward", "whether it is duplicated onward is not known",
                       target.place(), "make sure that it is not");
    else if (!target.duplications->empty())
      findings.error(Code::kRefused, "live-onward",
                     "it is duplicated onward, to " + target.duplications->front().remote +
                         ", which would not get the copied rows",
                     target.place(), "end that duplication, or copy without --live");
  }
  findings.note("live-limits",
                "rows that clients remove during the copy may come back, and counters since a "
                "server's start say nothing of atomic writes before it: verify and repair at the "
                "end",
                target.place());
  return findings;
}

}  // namespace pegmove::migration
