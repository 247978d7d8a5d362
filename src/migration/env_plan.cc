#include "migration/env_plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace pegmove::migration {
namespace {

using enum EnvFate;

enum class OnRestore {
  kReturns,    // set on the restored table
  kLeftOut,    // not set on the restored table, with a note that says why
  kOfServers,  // the servers write it themselves
};

struct EnvRule {
  std::string_view name;  // with "*" at the end: all names that begin with it
  EnvFate fate;           // in a copy
  const char* why;
  OnRestore on_restore = OnRestore::kReturns;
};

// Pegasus: src/common/replica_envs.cpp has the names. The first rule that matches applies.
constexpr EnvRule kRules[] = {
    {"rocksdb.num_levels", kAtCreation, "acts only when a database is created"},
    {"rocksdb.allow_ingest_behind", kAtCreation, "acts only when a database is opened"},
    {"rocksdb.write_buffer_size", kAtCreation, "must be set before the first row is written"},

    // Rows without expiry would get one while they are written. Besides, real replica servers crash
    // when they open a table that was created with it.
    {"default_ttl", kAfterCopy, "rows without expiry would get one while they are copied"},
    {"business.info", kAfterCreation, "describes the table"},
    {"rocksdb.checkpoint.reserve_min_count", kAfterCreation, "tuning"},
    {"rocksdb.checkpoint.reserve_time_seconds", kAfterCreation, "tuning"},
    {"replica.slow_query_threshold", kAfterCreation, "tuning"},
    {"replica.rocksdb_iteration_threshold_time_ms", kAfterCreation, "tuning"},
    {"replica.rocksdb_block_cache_enabled", kAfterCreation, "tuning"},
    {"manual_compact.disabled", kAfterCreation, "says when compactions run"},
    {"manual_compact.max_concurrent_running_count", kAfterCreation, "says when compactions run"},
    {"manual_compact.periodic.*", kAfterCreation, "says when compactions run"},

    {"manual_compact.once.*", kLeftOut, "it would start a compaction during the copy",
     OnRestore::kOfServers},
    {"rocksdb.usage_scenario", kLeftOut,
     "it belongs to work in progress on the source; set it when the table is complete",
     OnRestore::kLeftOut},
    {"user_specified_compaction", kLeftOut,
     "its rules delete or change rows; set it after the copy is verified"},
    {"replica.deny_client_request", kLeftOut,
     "it would refuse clients; set it when the table is complete", OnRestore::kLeftOut},
    {"replica.split.validate_partition_hash", kLeftOut,
     "it belongs to a partition split of the source; a new table has no rows of other partitions"},
    {"replica.write_throttling*", kLeftOut, "it would slow down the copy; set it after the copy"},
    {"replica.read_throttling*", kLeftOut,
     "it would slow down the verification; set it after the copy"},
    {"replica.backup_request_throttling", kLeftOut, "it limits requests; set it after the copy"},
    {"replica_access_controller.*", kLeftOut,
     "users and policies belong to the source's cluster, and could block the copy; until they are "
     "set, nothing protects the table",
     OnRestore::kLeftOut},
    {"duplication.*", kLeftOut,
     "it names the table from which a duplication created the source table", OnRestore::kLeftOut},
    {"restore.*", kLeftOut, "it names the backup from which the source table was created",
     OnRestore::kOfServers},
    {"max_replica_count.update", kLeftOut, "an internal mark of the meta server",
     OnRestore::kOfServers},
};

bool fits(const EnvRule& rule, std::string_view name) {
  return rule.name.ends_with('*') ? name.starts_with(rule.name.substr(0, rule.name.size() - 1))
                                  : name == rule.name;
}

// Null: the name is unknown.
const EnvRule* find_rule(std::string_view name) {
  const auto rule =
      std::ranges::find_if(kRules, [&](const auto& each) { return fits(each, name); });
  return rule == std::end(kRules) ? nullptr : &*rule;
}

}  // namespace

ReturningEnvs returning_envs(const EnvMap& saved) {
  ReturningEnvs returning;
  for (const auto& [name, value] : saved) {
    const auto* rule = find_rule(name);
    if (!rule || rule->on_restore == OnRestore::kReturns)
      returning.envs[name] = value;
    else if (rule->on_restore == OnRestore::kLeftOut)
      returning.notes.push_back(fmt::format("{} is not set: {}", name, rule->why));
  }
  return returning;
}

std::vector<EnvDecision> decide_envs(const EnvMap& source_envs) {
  std::vector<EnvDecision> decisions;
  for (const auto& [name, value] : source_envs) {
    const auto* rule = find_rule(name);
    if (rule)
      decisions.push_back({name, value, rule->fate, rule->why});
    else
      decisions.push_back({name, value, kLeftOut, "pegmove does not know this env"});
  }
  return decisions;
}

EnvMap envs_of(const std::vector<EnvDecision>& decisions, EnvFate fate) {
  EnvMap envs;
  for (const auto& decision : decisions)
    if (decision.fate == fate) envs[decision.name] = decision.value;
  return envs;
}

}  // namespace pegmove::migration
