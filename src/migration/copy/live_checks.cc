#include "migration/copy/live_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>

namespace pegmove::migration {
namespace {

// The duplication from the source to the target table, or null.
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
    return findings.note(
        "live-dual-written",
        "--dual-written says that clients write to both tables; pegmove cannot check that",
        inspection.source.place());
  if (duplication)
    return findings.error(
        Code::kRefused, "live-not-duplicated",
        fmt::format("its duplication to the target is in state {}, and sends nothing",
                    duplication->status),
        inspection.source.place(), "wait for state DS_LOG, or start the duplication");
  findings.error(Code::kRefused, "live-not-duplicated",
                 inspection.source.duplications
                     ? "it is not duplicated to the target"
                     : "it is not known whether it is duplicated to the target",
                 inspection.source.place(),
                 "--live needs writes that reach both tables: duplicate it first, or give "
                 "--dual-written if its clients write to both");
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
                       " INCR, CHECK_AND_SET or CHECK_AND_MUTATE requests arrived since its "
                       "servers started: what they write has no time, and would be overwritten",
                   side.place(), "stop all writes and copy without --live");
  else if (!known)
    findings.warning("live-atomic-writes",
                     "it is not known whether it gets INCR, CHECK_AND_SET or CHECK_AND_MUTATE",
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
                   "--live and --create exclude each other: a table that does not exist gets no "
                   "writes of clients",
                   target.place(), "create it, let writes reach both tables, then copy");
  if (method.impossible)
    findings.error(Code::kUnsupported, "live-needs-duplicate",
                   "--live needs DUPLICATE, which cannot be used: " + *method.impossible,
                   target.place(), "stop all writes and copy without --live");
  for (const auto& node : target.nodes)
    if (std::ranges::count(node.data_versions | std::views::values, 0) > 0) {
      findings.error(Code::kUnsupported, "live-data-version",
                     "its data version is 0: the newer of two rows cannot be determined",
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
      findings.warning("live-onward", "it is not known whether it is duplicated to another cluster",
                       target.place(), "make sure that it is not");
    else if (!target.duplications->empty())
      findings.error(
          Code::kRefused, "live-onward",
          fmt::format("it is duplicated to cluster {}, which would not get the copied rows",
                      target.duplications->front().remote),
          target.place(), "end that duplication, or copy without --live");
  }
  findings.note("live-limits",
                "rows that clients remove during the copy may reappear, and the servers' counters "
                "do not include atomic writes before their start: verify and repair at the end",
                target.place());
  return findings;
}

}  // namespace pegmove::migration
