#include "inspect/table_checks.h"

#include <algorithm>

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

bool is_denied(const Error& error) {
  return error.wire_code() == int(wire::ErrorCode::kAclDeny) ||
         error.code() == Code::kUnauthenticated;
}

}  // namespace

Findings check_partitions(const SideFacts& side) {
  Findings findings;
  auto ill = partitions_with(side, [](const auto& partition) { return !partition.has_primary; });
  if (!ill.empty())
    findings.error(Code::kUnreachable, "no-primary",
                   std::to_string(ill.size()) + " of " + std::to_string(side.partitions.size()) +
                       " partitions have no primary: " + list_of(ill),
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
                   std::to_string(silent.size()) + " of " + std::to_string(side.partitions.size()) +
                       " partitions cannot be read (" + list_of(silent) +
                       "): " + side.partitions[size_t(silent[0])].error->to_string(),
                   side.place(), "check their replica servers");
  return findings;
}

Findings check_envs(const Inspection& inspection, const std::map<std::string, std::string>& envs) {
  Findings findings;
  auto refuse = [&](const SideFacts& side, const std::string& value, const std::string& what) {
    findings.error(Code::kRefused, "denied",
                   "replica.deny_client_request=" + value + " denies " + what, side.place(),
                   "delete the env (`del_app_envs` in the shell), and wait half a minute");
  };
  auto throttle = [&](const SideFacts& side, const std::map<std::string, std::string>& of,
                      Access access, const char* what) {
    for (const auto& each : throttles_of(of, access))
      findings.warning("throttled",
                       each.env + "=" + each.value + " slows down " + what + ": " + each.leaves,
                       side.place(), "for a faster copy, delete the env during the copy");
  };
  if (const auto& info = inspection.source.info) {
    if (auto value = denied_by(info->envs, Access::kReads))
      refuse(inspection.source, *value, "reads");
    throttle(inspection.source, info->envs, Access::kReads, "reading");
  }
  const auto& target = inspection.target;
  if (auto value = denied_by(envs, Access::kWrites)) refuse(target, *value, "writes");
  if (auto value = denied_by(envs, Access::kReads))
    findings.warning("denied", "replica.deny_client_request=" + *value + " denies reads",
                     target.place(), "a verification needs them");
  throttle(target, envs, Access::kWrites, "writing");
  if (auto found = envs.find("default_ttl"); found != envs.end() && found->second != "0")
    findings.warning("default-ttl",
                     "default_ttl=" + found->second +
                         ": rows without expiry get one, this many seconds after they are written",
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
        "it was created by a duplication from cluster " + found->second + ", which may write to it",
        target.place());
  return findings;
}

}  // namespace pegmove::inspect
