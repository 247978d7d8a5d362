#include "migration/copy/preflight_checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/table_name.h"
#include "inspect/server_checks.h"
#include "inspect/table_checks.h"
#include "migration/copy/live_checks.h"

namespace pegmove::migration {
namespace {

void check_rows(const inspect::SideFacts& target, const CopyOptions& options,
                inspect::Findings& findings) {
  const auto full =
      std::ranges::count(target.partitions, inspect::Rows::kSome, &inspect::PartitionFacts::rows);
  if (full == 0) {
    if (std::ranges::count(target.partitions, inspect::Rows::kNotAsked,
                           &inspect::PartitionFacts::rows) == 0)
      return;
    const std::string what = "it is not known for all partitions whether they have rows";
    if (options.into_nonempty || options.live)
      findings.warning("rows-unknown", what, target.place());
    else
      findings.error(
          Code::kRefused, "rows-unknown", what, target.place(),
          "--into-nonempty continues: rows that also exist in the source are overwritten");
    return;
  }
  auto what = fmt::format("it has rows, in {} of {} partitions", full, target.partitions.size());
  if (options.live)
    return findings.note("target-not-empty", what + "; newer rows are kept", target.place());
  if (options.rules.mode == rows::WriteMode::kNoOverwrite)
    return findings.note("target-not-empty", what + "; they are not overwritten", target.place());
  if (options.into_nonempty)
    return findings.note(
        "target-not-empty",
        what + "; those that also exist in the source are overwritten, others are kept",
        target.place());
  findings.error(Code::kAlreadyExists, "target-not-empty", what, target.place(),
                 "--into-nonempty continues: rows that also exist in the source are overwritten, "
                 "others are kept");
}

void check_target(const inspect::Inspection& inspection, const CopyOptions& options,
                  inspect::Findings& findings) {
  const auto& target = inspection.target;
  if (!target.info) {
    if (!options.create)
      findings.error(Code::kNotFound, "no-target-table", "the table does not exist", target.place(),
                     "--create creates it, with the partition count of --partitions");
    return;
  }
  if (options.create && !options.made_by_this_run)
    return findings.error(Code::kAlreadyExists, "target-exists", "it already exists",
                          target.place(), "leave out --create to copy into it");
  if (inspection.is_same_table)
    return findings.error(Code::kInvalidArgument, "same-table", "the target is the source itself",
                          target.place(), "give another table or cluster");
  auto wanted =
      options.partitions.value_or(inspection.source.info ? inspection.source.info->partition_count
                                                         : target.info->partition_count);
  if (options.create && target.info->partition_count != wanted)
    findings.error(Code::kAlreadyExists, "target-exists",
                   fmt::format("it has {} partitions, but this run creates one with {}",
                               target.info->partition_count, wanted),
                   target.place(), "somebody else created it; give another table with --to-table");
  findings.add(inspect::check_partitions(target));
  check_rows(target, options, findings);
}

EnvMap envs_of_target(const inspect::Inspection& inspection,
                      const std::vector<EnvDecision>& decisions) {
  if (inspection.target.info && !inspection.target.info->envs.empty())
    return inspection.target.info->envs;
  auto envs = envs_of(decisions, EnvFate::kAtCreation);
  envs.merge(envs_of(decisions, EnvFate::kAfterCreation));
  return envs;
}

void check_new_target(const inspect::Inspection& inspection, const CopyOptions& options,
                      inspect::Findings& findings) {
  const auto& target = inspection.target;
  const auto replicas = inspection.source.info->replica_count;
  const auto& name = options.to_table.empty() ? options.table : options.to_table;
  if (auto named = base::check_table_name(name); !named)
    findings.error(Code::kInvalidArgument, "table-name", named.error().message(), target.place(),
                   "name the new table with --to-table");
  if (replicas > target.alive_nodes)
    findings.error(
        Code::kRefused, "too-few-servers",
        fmt::format("the source has {} replicas, and {} replica servers are alive here: "
                    "the cluster refuses to create the table",
                    replicas, target.alive_nodes),
        "cluster " + target.cluster,
        fmt::format("create the table by hand (`create {} -p {} -r {}` in the shell), "
                    "and leave out --create",
                    name, options.partitions.value_or(inspection.source.info->partition_count),
                    std::max(1, target.alive_nodes)));
}

}  // namespace

void check_chosen_partitions(const inspect::SideFacts& source, const CopyOptions& options,
                             inspect::Findings& findings) {
  if (!source.info) return;
  for (auto partition : options.rules.partitions)
    if (partition < 0 || partition >= source.info->partition_count)
      findings.error(Code::kInvalidArgument, "no-partition",
                     fmt::format("partition {} does not exist: the table has {}, counted from 0",
                                 partition, source.info->partition_count),
                     source.place(), "correct --partition");
}

inspect::Findings check_tables(const inspect::Inspection& inspection, const CopyOptions& options) {
  inspect::Findings findings;
  check_chosen_partitions(inspection.source, options, findings);
  if (!inspection.source.unreachable) {
    if (!inspection.source.info) {
      findings.error(Code::kNotFound, "no-source-table", "the table does not exist",
                     inspection.source.place(), "`ls` in the shell lists the tables");
    } else {
      findings.add(inspect::check_partitions(inspection.source));
    }
  }
  if (!inspection.target.unreachable) check_target(inspection, options, findings);
  return findings;
}

inspect::Findings check_creation(const inspect::Inspection& inspection, const CopyOptions& options,
                                 const std::vector<EnvDecision>& envs) {
  inspect::Findings findings;
  const auto& target = inspection.target;
  if (!options.create || target.unreachable || !inspection.source.info) return findings;
  if (target.level && int(*target.level) <= int(client::MetaLevel::kFreezed))
    findings.error(Code::kRefused, "meta-level",
                   fmt::format("its function level is {}, at which no table can be created",
                               client::meta_level_name(*target.level)),
                   "cluster " + target.cluster, "`set_meta_level steady` in the shell allows it");
  if (!target.info) check_new_target(inspection, options, findings);
  for (const auto& node : target.nodes)
    if (node.config && (node.config->enable_acl || node.config->enable_ranger_acl)) {
      findings.warning(
          "access-control", "access control is on: the creation of a table may be refused",
          "cluster " + target.cluster, "create the table by hand, and leave out --create");
      break;
    }
  for (const auto& env : envs) {
    auto text = env.name + "=" + env.value;
    if (env.fate == EnvFate::kAtCreation)
      findings.note("env-carried", "the new table is created with " + text, target.place());
    if (env.fate == EnvFate::kAfterCreation)
      findings.note("env-carried",
                    fmt::format("the new table gets {} after its creation: {}", text, env.why),
                    target.place());
    if (env.fate == EnvFate::kAfterCopy)
      findings.note(
          "env-carried",
          fmt::format("the new table gets {} after all rows are copied: {}", text, env.why),
          target.place());
    if (env.fate == EnvFate::kLeftOut && env.name.starts_with("replica_access_controller."))
      findings.warning("env-left-out",
                       fmt::format("the new table does not get {}: {}", env.name, env.why),
                       target.place());
    else if (env.fate == EnvFate::kLeftOut)
      findings.note("env-left-out", fmt::format("the new table does not get {}: {}", text, env.why),
                    target.place());
  }
  return findings;
}

inspect::Findings check_write_method(const WriteMethod& method, const CopyOptions& options) {
  inspect::Findings findings;
  if (method.impossible) {
    if (!options.live)
      findings.error(Code::kUnsupported, "duplicate-impossible",
                     "DUPLICATE cannot be used: " + *method.impossible, "",
                     "use --through plain or --through auto");
    return findings;
  }
  if (!method.duplicate) {
    findings.note("way", "rows are written as a client writes them, since " + method.reason, "");
    return findings;
  }
  findings.note("way",
                fmt::format("rows are written through DUPLICATE as cluster {}, since {}; alarms on "
                            "lagging duplicated writes may be triggered",
                            method.duplicate->cluster_id, method.reason),
                "");
  return findings;
}

PreflightResult check_copy(const inspect::Inspection& inspection, const CopyOptions& options) {
  PreflightResult result;
  auto& findings = result.findings;
  if (options.create && inspection.source.info)
    result.envs = decide_envs(inspection.source.info->envs);
  findings.add(inspect::check_reachability(inspection.source));
  findings.add(inspect::check_reachability(inspection.target));
  findings.add(check_tables(inspection, options));
  findings.add(check_creation(inspection, options, result.envs));
  findings.add(inspect::check_envs(inspection, envs_of_target(inspection, result.envs)));
  bool needs_clocks =
      options.through == Through::kDuplicate || options.live || options.duplicate.has_value();
  findings.add(inspect::note_versions(inspection.source, inspection.target));
  findings.add(inspect::check_servers(inspection.source, false));
  findings.add(inspect::check_servers(inspection.target, needs_clocks));
  if (inspection.target.unreachable) return result;
  result.method = choose_write_method(inspection, options);
  findings.add(check_live(inspection, options, result.method));
  findings.add(check_write_method(result.method, options));
  return result;
}

}  // namespace pegmove::migration
