// A target table whose older rows come as files behind newer ones: made for that, and proven to be
// ready for the newer ones.
//
// RocksDB may drop the tombstone of a delete when it compacts; a row that is loaded behind it would
// come back. So the table compacts nothing from before its first write until the load: neither by
// itself (rocksdb.usage_scenario=bulk_load) nor on request (manual_compact.disabled=true).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "migration/env_plan.h"
#include "migration/hot/cluster_side.h"

namespace pegmove::migration::hot {

struct BehindTable {
  std::string name{};
  int32_t partitions = 0;
  int32_t replicas = 0;
  EnvMap source_envs{};
};
// The envs with which it is created, and those that it gets when its files are loaded: of the
// source's, and with what keeps it from compacting, and ends that.
EnvMap creation_envs(const EnvMap& source_envs);
EnvMap envs_when_loaded(const EnvMap& source_envs);

struct MadeTable {
  int32_t app_id = 0;
  std::vector<std::string> notes{};  // envs of the source that it does not get, and why
};
// Makes it, waits until it serves, and sets others of the source's envs. May be repeated: a table
// that is there and was made like this is finished. Errors: kAlreadyExists: it was made otherwise;
// those of Cluster.
Task<MadeTable> make_behind_table(client::Cluster& cluster, BehindTable table, Deadline deadline);

// The answer to the remote command `replica.query-app-envs APPID`: what the storage of each replica
// of the server acts on, by partition. Replicas that are not found are left out. Errors: kProtocol,
// also for another table. Pegasus: src/replica/replica_stub.cpp, and query_app_envs in
// src/server/pegasus_server_impl.cpp.
Result<std::map<int32_t, EnvMap>> parse_query_app_envs(std::string_view text, int32_t app_id);

// Asks every member of every partition, which must have that many. nullopt: all compact nothing;
// else who may compact, is missing, or has not answered. Errors: those of view().
Task<std::optional<std::string>> why_not_behind(ClusterSide& side, int32_t replicas,
                                                Deadline deadline);

}  // namespace pegmove::migration::hot
