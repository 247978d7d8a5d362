// The app envs of a table that affect its replicas, parsed. They were checked when they were set,
// but not by CREATE_APP: what does not parse here has no effect. Pegasus:
// src/common/replica_envs.h, src/replica/replica_config.cpp and replica_throttle.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/app_env_text.h"
#include "store/tuning.h"

namespace pegmove::server::replica {

using EnvMap = std::map<std::string, std::string>;

// manual_compact.once.* and manual_compact.periodic.*
struct CompactionPlan {
  int64_t once_trigger_unix_seconds = 0;  // 0: not requested
  std::vector<int> daily_minutes = {};    // of the local day, ascending
  struct How {
    int target_level = -1;
    bool rewrite_lowest_level = false;
  };
  How once = {};
  How periodic = {};
  bool is_disabled = false;
  int most_running = INT32_MAX;  // on a node
};

struct TableEnvs {
  int32_t default_ttl_seconds = 0;
  std::optional<base::DenyRule> deny;
  base::Throttle write_throttle;
  base::Throttle write_size_throttle;
  base::Throttle read_throttle;
  base::Throttle backup_throttle;
  uint64_t read_bytes_per_second = 0;                // of the table; 0 = no limit
  std::chrono::milliseconds slow_query{0};           // 0 = not checked
  std::chrono::milliseconds iteration_time{30'000};  // 0 = no limit
  bool validate_partition_hash = false;
  store::Tuning tuning;
  bool allow_ingest_behind = false;  // takes effect when the database is opened
  std::string compaction_rules;
  CompactionPlan compaction;
};

TableEnvs parse_table_envs(const EnvMap& envs);

}  // namespace pegmove::server::replica
