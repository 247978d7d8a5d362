#include "inspect/table_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "inspect/table_limits.h"
#include "wire/error_code.h"

namespace pegmove::inspect {
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

// They are left out everywhere; whoever expects them in the target should know before.
void check_foreign_rows(const SideFacts& side, Findings& findings) {
  int64_t sampled = 0, foreign = 0;
  for (const auto& partition : side.partitions) {
    sampled += partition.sampled;
    foreign += partition.foreign;
  }
  if (foreign == 0) return;
  std::string next = "`pegmove export` and `pegmove verify` list those that are nowhere else";
  // Real servers compute a partition by a mask of bits.
  if (std::has_single_bit(side.partitions.size()))
    next +=
        "; then `set_app_envs replica.split.validate_partition_hash true` in the shell hides "
        "them, and a manual compaction of a real cluster removes them";
  findings.warning(
      "foreign-rows",
      fmt::format(
          "of the first {} rows of all partitions, {} are in partitions to which their keys "
          "do not belong: a partition split has left them, or a duplication misplaced them. "
          "No request for a key finds them; they are left out and counted",
          sampled, foreign),
      side.place(), std::move(next));
}

bool is_denied(const Error& error) {
  return error.wire_code() == int(wire::ErrorCode::kAclDeny) ||
         error.code() == Code::kUnauthenticated;
}

}  // namespace

Findings check_partitions(const SideFacts& side) {
  Findings findings;
  if (side.is_being_split) {
    findings.error(
        Code::kRefused, "being-split",
        "its partitions are being split: until that has ended, a partition may hold rows "
        "of another",
        side.place(), "start again when `query_split` in Pegasus's shell shows no split");
    return findings;
  }
  auto ill = partitions_with(side, [](const auto& partition) { return !partition.has_primary; });
  if (!ill.empty())
    findings.error(Code::kUnreachable, "no-primary",
                   fmt::format("{} of {} partitions have no primary: {}", ill.size(),
                               side.partitions.size(), list_of(ill)),
                   side.place(),
                   "see `app NAME -d` in the shell; start again when all of them serve");
  auto denied = partitions_with(
      side, [](const auto& partition) { return partition.error && is_denied(*partition.error); });
  if (!denied.empty())
    findings.error(Code::kRefused, "access-denied",
                   "access control refuses pegmove, which sends no user name", side.place(),
                   "allow users without a name during the work ([security] enable_acl, "
                   "replica_access_controller.*, Ranger's policies)");
  auto silent = partitions_with(
      side, [](const auto& partition) { return partition.error && !is_denied(*partition.error); });
  if (!silent.empty())
    findings.error(side.partitions[size_t(silent[0])].error->code(), "no-reads",
                   fmt::format("{} of {} partitions cannot be read ({}): {}", silent.size(),
                               side.partitions.size(), list_of(silent),
                               side.partitions[size_t(silent[0])].error->to_string()),
                   side.place(), "check their replica servers");
  check_foreign_rows(side, findings);
  return findings;
}

Findings check_denied(const std::map<std::string, std::string>& envs, Needs needs,
                      const std::string& place) {
  const auto reads = needs.reads ? denied_by(envs, Access::kReads) : std::nullopt;
  const auto writes = needs.writes ? denied_by(envs, Access::kWrites) : std::nullopt;
  Findings findings;
  if (reads || writes)
    findings.error(Code::kRefused, "denied",
                   fmt::format("replica.deny_client_request={} denies {}", reads ? *reads : *writes,
                               reads && writes ? "reads and writes"
                               : reads         ? "reads"
                                               : "writes"),
                   place, "delete the env (`del_app_envs` in the shell), and wait half a minute");
  return findings;
}

Findings check_envs(const Inspection& inspection, const std::map<std::string, std::string>& envs) {
  Findings findings;
  auto throttle = [&](const SideFacts& side, const std::map<std::string, std::string>& of,
                      Access access, const char* what) {
    for (const auto& each : throttles_of(of, access))
      findings.warning(
          "throttled",
          fmt::format("{}={} slows down {}: {}", each.env, each.value, what, each.leaves),
          side.place(), "for a faster copy, delete the env during the copy");
  };
  if (const auto& info = inspection.source.info) {
    findings.add(check_denied(info->envs, {.reads = true}, inspection.source.place()));
    throttle(inspection.source, info->envs, Access::kReads, "reading");
  }
  const auto& target = inspection.target;
  findings.add(check_denied(envs, {.writes = true}, target.place()));
  if (auto value = denied_by(envs, Access::kReads))
    findings.warning("denied", fmt::format("replica.deny_client_request={} denies reads", *value),
                     target.place(), "a verification needs them");
  throttle(target, envs, Access::kWrites, "writing");
  if (auto found = envs.find("default_ttl"); found != envs.end() && found->second != "0")
    findings.warning(
        "default-ttl",
        fmt::format(
            "default_ttl={}: rows without expiry get one, this many seconds after they are written",
            found->second),
        target.place(), "to keep such rows, set it to 0 during the copy");
  if (auto found = envs.find("user_specified_compaction");
      found != envs.end() && !found->second.empty())
    findings.warning("compaction-rules",
                     "user_specified_compaction has rules by which compactions delete or change "
                     "rows, also copied ones",
                     target.place(), "delete the env until the copy is verified");
  if (auto found = envs.find("rocksdb.usage_scenario");
      found != envs.end() && found->second == "bulk_load")
    findings.warning(
        "no-compaction",
        "rocksdb.usage_scenario=bulk_load: nothing is compacted, and reads become slow",
        target.place(), "set it to normal after the copy");
  if (auto found = envs.find("duplication.master_cluster"); found != envs.end())
    findings.note(
        "duplication-follower",
        fmt::format("it was created by a duplication from cluster {}, which may write to it",
                    found->second),
        target.place());
  return findings;
}

}  // namespace pegmove::inspect
