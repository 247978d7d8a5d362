#include <algorithm>
#include <ranges>
#include <set>

#include "base/units.h"
#include "migration/judgement.h"

namespace pegmove::migration {
namespace {

std::string place_of(const SideFacts& side, const NodeFacts& node) {
  return "replica server " + node.node + " of cluster " + side.cluster;
}

void judge_versions(const SideFacts& side, Findings& findings) {
  std::map<std::string, const ServerVersion*> versions;
  for (const auto& node : side.nodes)
    if (node.version) versions[node.version->text] = &*node.version;
  for (const auto& [text, version] : versions) {
    auto where = "cluster " + side.cluster;
    auto what = "its servers are Pegasus " + text;
    if (version->is_at_least(2, 6)) {
      findings.note("server-version", what, where);
    } else if (version->is_at_least(2, 4)) {
      findings.warning("server-version",
                       what +
                           ", without /metrics (2.6): clocks and atomic writes are not seen, so "
                           "rows are not written through DUPLICATE",
                       where);
    } else {
      findings.warning(
          "server-version",
          what +
              ", without DUPLICATE of many rows (2.4) and /metrics (2.6); this program "
              "is not tried with it",
          where, "copy a small table first, and verify it");
    }
  }
  if (versions.size() > 1)
    findings.note("mixed-versions",
                  "its servers are of " + std::to_string(versions.size()) + " versions",
                  "cluster " + side.cluster);
}

std::string seconds(int64_t us) {
  return base::format_duration(std::chrono::milliseconds(std::abs(us) / 1000));
}

void judge_clocks(const SideFacts& side, bool needs_clocks, Findings& findings) {
  for (const auto& node : side.nodes) {
    if (!node.clock || !is_far_off(*node.clock)) continue;
    bool ahead = node.clock->low_us > 0;
    auto [least, most] = ahead ? std::pair(node.clock->low_us, node.clock->high_us)
                               : std::pair(node.clock->high_us, node.clock->low_us);
    auto what = "its clock is " + seconds(least) + " to " + seconds(most) +
                (ahead ? " ahead of" : " behind") + " this machine's";
    auto next = "set the clocks (NTP)";
    if (needs_clocks)
      findings.error(Code::kRefused, "clock-skew",
                     what + "; a server aborts on a duplicated write that is later than its clock",
                     place_of(side, node), next);
    else
      findings.warning("clock-skew", what + "; rows expire by the clock of their server",
                       place_of(side, node), next);
  }
}

void judge_data_versions(const SideFacts& side, Findings& findings) {
  if (!side.info) return;
  std::set<int> versions;
  for (const auto& node : side.nodes)
    for (const auto& [index, version] : node.data_versions) versions.insert(version);
  if (versions.empty())
    return findings.warning("data-version", "its data version is not known", side.place());
  if (*versions.rbegin() > 1)
    return findings.error(Code::kUnsupported, "data-version",
                          "its data version is " + std::to_string(*versions.rbegin()) +
                              ", and only 0 and 1 are known",
                          side.place(), "use a newer pegmove");
  if (versions.size() > 1)
    findings.warning("data-version", "its partitions are of data versions 0 and 1", side.place());
  else if (*versions.begin() == 0)
    findings.note("data-version", "its data version is 0: rows carry no times of writing",
                  side.place());
}

void judge_access(const SideFacts& side, Findings& findings) {
  if (!side.info) return;
  bool acl = false, ranger = false;
  for (const auto& node : side.nodes) {
    if (!node.config) continue;
    acl |= node.config->enable_acl;
    ranger |= node.config->enable_ranger_acl;
  }
  if (ranger)
    findings.warning("access-control",
                     "Ranger's policies decide who may read and who may write: that reading is "
                     "allowed says nothing of writing",
                     side.place());
  for (const auto& [name, value] : side.info->envs)
    if (name.starts_with("replica_access_controller.") && !value.empty() && !acl && !ranger)
      findings.note("access-control", name + " is set, but access control is not known to be on",
                    side.place());
}

// Whether some duplication goes from the source to the target table.
const DuplicationInfo* duplication_to_target(const PreflightFacts& facts) {
  const auto& target = facts.target;
  std::set<std::string> names{target.cluster};
  for (const auto& node : target.nodes)
    if (node.config) names.insert(node.config->cluster_name);
  if (!facts.source.duplications) return nullptr;
  for (const auto& each : *facts.source.duplications) {
    const auto& table = each.remote_table.empty() ? facts.source.table : each.remote_table;
    if (names.contains(each.remote) && table == target.table) return &each;
  }
  return nullptr;
}

void judge_both_written(const PreflightFacts& facts, const CopyOptions& options,
                        Findings& findings) {
  const auto* duplication = duplication_to_target(facts);
  if (duplication && duplication->status == "DS_LOG")
    return findings.note("live-duplicated", "it is duplicated to the target", facts.source.place());
  if (options.dual_written)
    return findings.note("live-dual-written",
                         "you say that clients write to both tables; that cannot be seen",
                         facts.source.place());
  if (duplication)
    return findings.error(
        Code::kRefused, "live-not-duplicated",
        "its duplication to the target is in state " + duplication->status + ", and ships nothing",
        facts.source.place(), "wait for DS_LOG, or start it");
  findings.error(Code::kRefused, "live-not-duplicated",
                 facts.source.duplications ? "it is not duplicated to the target"
                                           : "whether it is duplicated to the target is not known",
                 facts.source.place(),
                 "--live needs writes that reach both tables: duplicate it first, or say "
                 "--dual-written when its clients write to both");
}

void judge_atomic_writes(const SideFacts& side, Findings& findings) {
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

Findings judge_servers(const SideFacts& side, bool needs_clocks) {
  Findings findings;
  if (side.unreachable) return findings;
  judge_versions(side, findings);
  judge_clocks(side, needs_clocks, findings);
  judge_data_versions(side, findings);
  judge_access(side, findings);
  return findings;
}

Findings judge_live(const PreflightFacts& facts, const CopyOptions& options, const WriteWay& way) {
  Findings findings;
  const auto& target = facts.target;
  if (!options.live) return findings;
  if (options.create && !target.info)
    findings.error(Code::kInvalidArgument, "live-create",
                   "--live and --create contradict each other: a table that is not there gets no "
                   "writes of clients",
                   target.place(), "make it, let writes reach both tables, then copy");
  if (way.impossible)
    findings.error(Code::kUnsupported, "live-needs-duplicate",
                   "--live needs DUPLICATE, which cannot be had: " + *way.impossible,
                   target.place(), "copy without --live while nobody writes");
  for (const auto& node : target.nodes)
    if (std::ranges::count(node.data_versions | std::views::values, 0) > 0) {
      findings.error(Code::kUnsupported, "live-data-version",
                     "its data version is 0: which of two rows is newer is not known",
                     target.place(), "copy to a table of data version 1");
      break;
    }
  if (!facts.source.unreachable && facts.source.info) {
    judge_both_written(facts, options, findings);
    judge_atomic_writes(facts.source, findings);
  }
  if (target.info) {
    judge_atomic_writes(target, findings);
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

Findings judge_way(const WriteWay& way, const CopyOptions& options) {
  Findings findings;
  if (way.impossible) {
    if (!options.live)
      findings.error(Code::kUnsupported, "duplicate-impossible",
                     "DUPLICATE cannot be had: " + *way.impossible, "",
                     "--through plain or auto writes as a client does");
    return findings;
  }
  if (!way.duplicate) {
    findings.note("way", "rows are written as a client writes them, since " + way.reason, "");
    return findings;
  }
  findings.note("way",
                "rows are written through DUPLICATE as cluster " +
                    std::to_string(way.duplicate->cluster_id) + ", since " + way.reason +
                    "; alarms on lagging duplicated writes may go off",
                "");
  return findings;
}

}  // namespace pegmove::migration
