#include "migration/judgement.h"

#include <algorithm>

#include "migration/table_limits.h"
#include "wire/error_code.h"

namespace pegmove::migration {
namespace {

constexpr size_t kMostListed = 8;

std::string list_of(const std::vector<int32_t>& indices) {
  std::string text;
  for (size_t i = 0; i < std::min(indices.size(), kMostListed); ++i)
    text += (text.empty() ? "" : ", ") + std::to_string(indices[i]);
  return indices.size() > kMostListed ? text + ", ..." : text;
}

template <typename Predicate>
std::vector<int32_t> partitions_with(const SideFacts& side, Predicate predicate) {
  std::vector<int32_t> indices;
  for (size_t i = 0; i < side.partitions.size(); ++i)
    if (predicate(side.partitions[i])) indices.push_back(int32_t(i));
  return indices;
}

bool is_denied(const Error& error) {
  return error.wire_code() == int(wire::ErrorCode::kAclDeny) ||
         error.code() == Code::kUnauthenticated;
}

void judge_partitions(const SideFacts& side, Findings& findings) {
  auto ill = partitions_with(side, [](const auto& partition) { return !partition.has_primary; });
  if (!ill.empty())
    findings.error(Code::kUnreachable, "no-primary",
                   std::to_string(ill.size()) + " of " + std::to_string(side.partitions.size()) +
                       " partitions have no primary: " + list_of(ill),
                   side.place(), "see `app NAME -d` in the shell; begin when all of them serve");
  auto denied = partitions_with(
      side, [](const auto& partition) { return partition.error && is_denied(*partition.error); });
  if (!denied.empty())
    findings.error(Code::kRefused, "access-denied",
                   "access control refuses this program, which gives no user name", side.place(),
                   "let unnamed users in for the time of the work ([security] enable_acl, "
                   "replica_access_controller.*, Ranger's policies)");
  auto silent = partitions_with(
      side, [](const auto& partition) { return partition.error && !is_denied(*partition.error); });
  if (!silent.empty())
    findings.error(side.partitions[size_t(silent[0])].error->code(), "no-reads",
                   std::to_string(silent.size()) + " of " + std::to_string(side.partitions.size()) +
                       " partitions cannot be read (" + list_of(silent) +
                       "): " + side.partitions[size_t(silent[0])].error->to_string(),
                   side.place(), "look at their replica servers");
}

void judge_rows(const SideFacts& target, const CopyOptions& options, Findings& findings) {
  auto full =
      partitions_with(target, [](const auto& partition) { return partition.rows == Rows::kSome; });
  if (full.empty()) {
    if (std::ranges::count(target.partitions, Rows::kNotAsked, &PartitionFacts::rows) == 0) return;
    const std::string what = "whether it has rows is not known for all partitions";
    if (options.into_nonempty || options.live)
      findings.warning("rows-unknown", what, target.place());
    else
      findings.error(Code::kRefused, "rows-unknown", what, target.place(),
                     "--into-nonempty goes on: rows that the source has, too, are overwritten");
    return;
  }
  auto what = "it has rows, in " + std::to_string(full.size()) + " of " +
              std::to_string(target.partitions.size()) + " partitions";
  if (options.live)
    return findings.note("target-not-empty", what + "; those that are newer stay", target.place());
  if (options.rules.mode == rows::WriteMode::kNoOverwrite)
    return findings.note("target-not-empty", what + "; they stay as they are", target.place());
  if (options.into_nonempty)
    return findings.note("target-not-empty",
                         what + "; those that the source has, too, are overwritten, others stay",
                         target.place());
  findings.error(Code::kAlreadyExists, "target-not-empty", what, target.place(),
                 "--into-nonempty goes on: rows that the source has, too, are overwritten, others "
                 "stay");
}

void judge_target(const PreflightFacts& facts, const CopyOptions& options, Findings& findings) {
  const auto& target = facts.target;
  if (!target.info) {
    if (!options.create)
      findings.error(Code::kNotFound, "no-target-table", "there is no such table", target.place(),
                     "--create makes it, --partitions says with how many partitions");
    return;
  }
  if (options.create && !options.made_by_this_run)
    return findings.error(Code::kAlreadyExists, "target-exists", "it exists already",
                          target.place(), "leave out --create to copy into it");
  if (facts.is_same_table)
    return findings.error(Code::kInvalidArgument, "same-table", "the target is the source itself",
                          target.place(), "name another table or cluster");
  auto wanted = options.partitions.value_or(facts.source.info ? facts.source.info->partition_count
                                                              : target.info->partition_count);
  if (options.create && target.info->partition_count != wanted)
    findings.error(Code::kAlreadyExists, "target-exists",
                   "it has " + std::to_string(target.info->partition_count) +
                       " partitions, and this run makes one with " + std::to_string(wanted),
                   target.place(), "somebody else made it; name another table");
  judge_partitions(target, findings);
  judge_rows(target, options, findings);
}

EnvMap envs_of_target(const PreflightFacts& facts, const std::vector<EnvDecision>& decisions) {
  if (facts.target.info && !facts.target.info->envs.empty()) return facts.target.info->envs;
  auto envs = envs_of(decisions, EnvFate::kAtCreation);
  envs.merge(envs_of(decisions, EnvFate::kAfterCreation));
  return envs;
}

}  // namespace

Findings judge_reachability(const SideFacts& side) {
  Findings findings;
  if (side.unreachable) {
    bool locked = side.unreachable->code() == Code::kUnauthenticated;
    findings.error(side.unreachable->code(),
                   locked ? "authentication-demanded" : "cluster-unreachable",
                   side.unreachable->message(), "cluster " + side.cluster, "");
  }
  for (const auto& call : side.silent)
    findings.warning("no-answer", call, "cluster " + side.cluster);
  for (const auto& node : side.nodes)
    for (const auto& call : node.silent)
      findings.warning("no-answer", "no answer that can be used: " + call,
                       "replica server " + node.node + " of cluster " + side.cluster,
                       "what it would have told is not checked");
  return findings;
}

void judge_chosen_partitions(const SideFacts& source, const CopyOptions& options,
                             Findings& findings) {
  if (!source.info) return;
  for (auto partition : options.rules.partitions)
    if (partition < 0 || partition >= source.info->partition_count)
      findings.error(Code::kInvalidArgument, "no-partition",
                     "there is no partition " + std::to_string(partition) + ", but " +
                         std::to_string(source.info->partition_count) + ", counted from 0",
                     source.place(), "see --partition");
}

Findings judge_tables(const PreflightFacts& facts, const CopyOptions& options) {
  Findings findings;
  judge_chosen_partitions(facts.source, options, findings);
  if (!facts.source.unreachable) {
    if (!facts.source.info) {
      findings.error(Code::kNotFound, "no-source-table", "there is no such table",
                     facts.source.place(), "`ls` in the shell lists its tables");
    } else {
      judge_partitions(facts.source, findings);
    }
  }
  if (!facts.target.unreachable) judge_target(facts, options, findings);
  return findings;
}

Findings judge_creation(const PreflightFacts& facts, const CopyOptions& options,
                        const std::vector<EnvDecision>& envs) {
  Findings findings;
  const auto& target = facts.target;
  if (!options.create || target.unreachable || !facts.source.info) return findings;
  if (target.level && int(*target.level) <= int(client::MetaLevel::kFreezed))
    findings.error(Code::kRefused, "meta-level",
                   "its function level is " + client::meta_level_name(*target.level) +
                       ", at which no tables are made",
                   "cluster " + target.cluster,
                   "`set_meta_level steady` in the shell lets them be");
  if (facts.source.info->replica_count > target.alive_nodes)
    findings.warning("too-few-servers",
                     "the source has " + std::to_string(facts.source.info->replica_count) +
                         " replicas, and " + std::to_string(target.alive_nodes) +
                         " replica servers are alive here: a real cluster refuses to make it",
                     "cluster " + target.cluster);
  for (const auto& node : target.nodes)
    if (node.config && (node.config->enable_acl || node.config->enable_ranger_acl)) {
      findings.warning("access-control", "access control is on: making a table may be refused",
                       "cluster " + target.cluster,
                       "make the table by hand, and leave out --create");
      break;
    }
  for (const auto& env : envs) {
    auto text = env.name + "=" + env.value;
    if (env.fate == EnvFate::kAtCreation)
      findings.note("env-carried", "the new table is made with " + text, target.place());
    if (env.fate == EnvFate::kAfterCreation)
      findings.note("env-carried", "the new table gets " + text + " after its creation: " + env.why,
                    target.place());
    if (env.fate == EnvFate::kAfterCopy)
      findings.note("env-carried",
                    "the new table gets " + text + " when all rows are copied: " + env.why,
                    target.place());
    if (env.fate == EnvFate::kLeftOut && env.name.starts_with("replica_access_controller."))
      findings.warning("env-left-out", "the new table does not get " + env.name + ": " + env.why,
                       target.place());
    else if (env.fate == EnvFate::kLeftOut)
      findings.note("env-left-out", "the new table does not get " + text + ": " + env.why,
                    target.place());
  }
  return findings;
}

Findings judge_envs(const PreflightFacts& facts, const EnvMap& envs) {
  Findings findings;
  auto refuse = [&](const SideFacts& side, const std::string& value, const std::string& what) {
    findings.error(Code::kRefused, "denied",
                   "replica.deny_client_request=" + value + " denies " + what, side.place(),
                   "delete the env (`del_app_envs`), and wait half a minute");
  };
  auto throttle = [&](const SideFacts& side, const EnvMap& of, Access access, const char* what) {
    for (const auto& each : throttles_of(of, access))
      findings.warning("throttled",
                       each.env + "=" + each.value + " slows " + what + ": " + each.leaves,
                       side.place(), "delete the env for the time of the copy to go faster");
  };
  if (const auto& info = facts.source.info) {
    if (auto value = denied_by(info->envs, Access::kReads)) refuse(facts.source, *value, "reads");
    throttle(facts.source, info->envs, Access::kReads, "reading");
  }
  const auto& target = facts.target;
  if (auto value = denied_by(envs, Access::kWrites)) refuse(target, *value, "writes");
  if (auto value = denied_by(envs, Access::kReads))
    findings.warning("denied", "replica.deny_client_request=" + *value + " denies reads",
                     target.place(), "verification will need them");
  throttle(target, envs, Access::kWrites, "writing");
  if (auto found = envs.find("default_ttl"); found != envs.end() && found->second != "0")
    findings.warning("default-ttl",
                     "default_ttl=" + found->second +
                         ": rows without expiry get one, so many seconds after they are written",
                     target.place(), "set it to 0 for the time of the copy to keep them");
  if (auto found = envs.find("user_specified_compaction");
      found != envs.end() && !found->second.empty())
    findings.warning("compaction-rules",
                     "user_specified_compaction has rules by which compactions delete or change "
                     "rows, those that are copied, too",
                     target.place(), "delete the env until the copy is verified");
  if (auto found = envs.find("rocksdb.usage_scenario");
      found != envs.end() && found->second == "bulk_load")
    findings.warning("no-compaction",
                     "rocksdb.usage_scenario=bulk_load: nothing is compacted, reads become slow",
                     target.place(), "set it to normal when the copy is done");
  if (auto found = envs.find("duplication.master_cluster"); found != envs.end())
    findings.note(
        "duplication-follower",
        "it was made by a duplication from cluster " + found->second + ", which may write to it",
        target.place());
  return findings;
}

Judgement judge(const PreflightFacts& facts, const CopyOptions& options) {
  Judgement judgement;
  auto& findings = judgement.findings;
  if (options.create && facts.source.info) judgement.envs = decide_envs(facts.source.info->envs);
  findings.add(judge_reachability(facts.source));
  findings.add(judge_reachability(facts.target));
  findings.add(judge_tables(facts, options));
  findings.add(judge_creation(facts, options, judgement.envs));
  findings.add(judge_envs(facts, envs_of_target(facts, judgement.envs)));
  bool needs_clocks =
      options.through == Through::kDuplicate || options.live || options.duplicate.has_value();
  findings.add(judge_servers(facts.source, false));
  findings.add(judge_servers(facts.target, needs_clocks));
  if (facts.target.unreachable) return judgement;
  judgement.way = choose_way(facts, options);
  findings.add(judge_live(facts, options, judgement.way));
  findings.add(judge_way(judgement.way, options));
  return judgement;
}

}  // namespace pegmove::migration
