// A cluster, accessed through its meta servers: its tables, nodes and settings.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "client/administration.h"
#include "client/meta_caller.h"

namespace pegmove::wire {
class configuration_update_app_env_request;
class query_cfg_request;
class query_cfg_response;
enum meta_function_level : int32_t;
}  // namespace pegmove::wire

namespace pegmove::client {

// A table as the meta server lists it (app_info in Pegasus).
struct TableInfo {
  int32_t app_id = 0;
  std::string name;
  std::string type;
  std::string status;  // "AS_AVAILABLE", ...
  int32_t partition_count = 0;
  int32_t replica_count = 0;
  bool is_stateful = false;
  bool atomic_idempotent = false;
  std::map<std::string, std::string> envs{};
  int64_t create_second = 0;  // Unix seconds; 0 = not known
  int64_t drop_second = 0;
  int64_t expire_second = 0;  // when a dropped table's data is deleted
};

// The servers of a partition. A primary with port 0: no server serves it now.
struct PartitionInfo {
  int64_t ballot = 0;  // -1: not split off yet; its parent (index - count/2) serves
  int32_t max_replica_count = 0;
  net::HostPort primary;
  std::vector<net::HostPort> secondaries;
  net::Address primary_address;  // port 0 when only the name is known
};

struct TableConfig {
  int32_t app_id = 0;
  int32_t partition_count = 0;
  std::vector<PartitionInfo> partitions;
};

struct NodeInfo {
  net::HostPort address;
  bool is_alive = false;
};

struct CreateOptions {
  int32_t partition_count = 4;  // at least 1; some clients need a power of two
  // Nothing: usual_replica_count().
  std::optional<int32_t> replica_count = {};
  bool fail_if_exists = true;
  bool atomic_idempotent = false;
  std::map<std::string, std::string> envs{};
};

enum class ListedTables { kAvailable, kAll };

// All on the client's executor. Calls fail with kUnreachable, kTimeout or kUnauthenticated when no
// meta server can be reached, and with the error that the meta server returns.
class Cluster {
 public:
  // Checks that the cluster answers, and reads its name. A MetaProxy may be given instead of meta
  // servers: it answers for the tables of several clusters, and only where their partitions are.
  static Task<std::shared_ptr<Cluster>> connect(Client& client, std::vector<net::HostPort> metas,
                                                Deadline deadline);

  Client& client() { return client_; }
  // Whether connect() has found a MetaProxy. Then a table may move to another cluster, and calls
  // other than table_config() fail with kUnsupported.
  bool is_behind_proxy() const { return is_behind_proxy_; }
  // The cluster's own name, for instance "onebox"; several clusters may have the same. Empty behind
  // a MetaProxy.
  const std::string& name() const { return name_; }
  std::string meta_list() const { return metas_.description(); }
  // For the other files of this folder.
  MetaCaller& metas() { return metas_; }

  // Key and value pairs in the cluster's order: meta_servers, primary_meta_server, ...
  Task<std::vector<std::pair<std::string, std::string>>> info(Deadline deadline);
  Task<std::vector<NodeInfo>> nodes(Deadline deadline);
  Task<std::vector<TableInfo>> tables(ListedTables which, Deadline deadline);
  // Errors: kNotFound, naming the table and the cluster.
  Task<TableInfo> table_info(std::string table, Deadline deadline);
  // indices empty: all partitions. Tries again while a MetaProxy reaches no meta server. Errors:
  // kNotFound, naming the table and the cluster.
  Task<TableConfig> table_config(std::string table, std::vector<int32_t> indices,
                                 Deadline deadline);

  // How many replicas a new table gets when nobody says: 3, as from Pegasus's tools, or as many as
  // there are live replica servers when those are fewer, since a meta server refuses more.
  Task<int32_t> usual_replica_count(Deadline deadline);
  // Returns the app id. It may take a moment until the partitions serve: wait_until_ready().
  // Errors: kAlreadyExists; kInvalidArgument, also for a name that base/table_name.h excludes:
  // nothing is requested then.
  Task<int32_t> create_table(std::string table, CreateOptions options, Deadline deadline);
  // Waits until every partition has a primary; calls `progress` (may be empty) with how many have
  // one.
  Task<> wait_until_ready(std::string table, std::function<void(int ready, int all)> progress,
                          Deadline deadline);
  // Succeeds when the table does not exist. reserve_seconds 0: the server's default, a week.
  Task<> drop_table(std::string table, int64_t reserve_seconds, Deadline deadline);
  // Restores a dropped table while its data is kept; an empty `new_name` means its old one. Returns
  // the table; it may take a moment until its partitions serve: wait_until_ready(). Errors:
  // kNotFound for an unknown id, or when it is too late; kAlreadyExists when the table is not
  // dropped; kInvalidArgument when the name is used, or base/table_name.h excludes it.
  Task<TableInfo> recall_table(int32_t app_id, std::string new_name, Deadline deadline);
  // Errors: kNotFound; kInvalidArgument when a table of the new name exists, or base/table_name.h
  // excludes it.
  Task<> rename_table(std::string old_name, std::string new_name, Deadline deadline);

  // Settings of a table. Errors: kNotFound; of a change also kInvalidArgument (a count that is not
  // possible on the cluster) and kRefused at a meta level of freezed or below. Setting the current
  // value succeeds, with a hint.
  Task<int32_t> replica_count(std::string table, Deadline deadline);
  Task<Change<int32_t>> set_replica_count(std::string table, int32_t count, Deadline deadline);
  Task<bool> atomic_idempotent(std::string table, Deadline deadline);
  Task<Change<bool>> set_atomic_idempotent(std::string table, bool value, Deadline deadline);

  // What the meta servers may do. Setting returns the previous level.
  Task<MetaLevel> meta_level(Deadline deadline);
  Task<MetaLevel> set_meta_level(MetaLevel level, Deadline deadline);

  // Requests a compaction of all partitions and returns at once; a request while one runs starts
  // another one after it. Errors: kNotFound; kRefused when the table's app envs forbid it;
  // kInvalidArgument.
  Task<> start_compaction(std::string table, CompactionOptions options, Deadline deadline);
  // In percent of the replicas; nullopt when no compaction was requested, or its end is no longer
  // known. A replica server may notice a request only after half a minute. Errors: kNotFound.
  Task<std::optional<int32_t>> compaction_progress(std::string table, Deadline deadline);

  // App envs. Errors carry the server's hint. del and clear return that hint ("deleted keys: ...").
  Task<> set_envs(std::string table, std::map<std::string, std::string> envs, Deadline deadline);
  Task<std::string> delete_envs(std::string table, std::vector<std::string> keys,
                                Deadline deadline);
  // An empty prefix clears all.
  Task<std::string> clear_envs(std::string table, std::string prefix, Deadline deadline);

  Cluster(Client& client, std::vector<net::HostPort> metas)
      : client_(client), metas_(client, std::move(metas)) {}

 private:
  Task<wire::query_cfg_response> ask_for_config(wire::query_cfg_request request, Deadline deadline);
  Routine<std::string> why_not_created(std::string table, CreateOptions options, Deadline deadline);
  Task<std::string> update_envs(wire::configuration_update_app_env_request request,
                                Deadline deadline);
  Task<MetaLevel> control_meta(wire::meta_function_level level, Deadline deadline);
  std::string quoted(const std::string& table) const;

  Client& client_;
  MetaCaller metas_;
  std::string name_;
  bool is_behind_proxy_ = false;
};

}  // namespace pegmove::client
