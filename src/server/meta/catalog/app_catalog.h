// The tables of the embedded cluster and the nodes of their partitions: what a real meta server
// keeps in ZooKeeper. The answers that tools get from it are in catalog_views.h.
//
// Lifecycle: open() reads it from the meta server's store. Every change is on disk before its
// function returns; a change that could not be written is not applied, and answered with
// ERR_FILE_OPERATION_FAILED. Concurrency: used by one thread.
//
// Where the embedded cluster differs from a real one:
// - The data of a partition is kept once, by its node. The table's other replicas are the nodes
//   that follow that one, in a ring: they answer from the same data, as secondaries do
//   (ReplicaNode::follow()). So a table has at most as many replicas as the cluster has nodes.
// - A table has at most kMaxPartitionCount partitions, kMaxEnvsSize bytes of app envs and the type
//   "pegasus"; names are those of base/table_name.h; app envs are UTF-8.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "meta_types.h"
#include "server/meta/catalog/app_env_update.h"
#include "server/meta/catalog/app_record.h"
#include "server/meta/store/meta_store.h"

namespace pegmove::server::meta {

// Replica counts that a request may ask for, when there are as many nodes.
inline constexpr int32_t kMinReplicaCount = 1;  // min_allowed_replica_count of Pegasus
inline constexpr int32_t kMaxReplicaCount = 5;  // max_allowed_replica_count
// How long a dropped table can be recalled when the request does not say ([meta_server]
// hold_seconds_for_dropped_app in Pegasus).
inline constexpr int64_t kDefaultReserveSeconds = 604800;

// Whether a table of this cluster can have so many replicas. Errors: kInvalidArgument, with
// Pegasus's hint. Pegasus: server_state::validate_target_max_replica_count in
// src/meta/server_state.cpp.
Result<void> check_replica_count(int32_t count, int node_count);

class AppCatalog {
 public:
  // Reads the catalog of the store, which outlives it. `node_count`: the nodes of this process are
  // 0 to node_count - 1. There may be more than last time: new tables use them. Errors:
  // kInvalidArgument for a node_count below 1; kRefused when tables have partitions on nodes that
  // are missing now, or more replicas than there are nodes, naming the table; kCorrupt when the
  // values cannot be understood, naming the store and the value. Nothing is written.
  static Result<AppCatalog> open(MetaStore& store, int node_count);

  // RPC_CM_CREATE_APP. New tables are available at once and spread over the nodes. Ids begin with 1
  // and are never reused. `now_unix`: unix seconds. Answers ERR_STATE_FREEZED when is_frozen();
  // ERR_INVALID_PARAMETERS for what the comment at the top of this file, check_replica_count() or
  // check_app_envs_at_create() excludes, and for a table that exists and differs from the request;
  // ERR_APP_EXIST; ERR_INVALID_STATE when no ids are left. A request with the app env
  // duplication.master_cluster creates the follower of a duplication, and is answered as the
  // protocol between the two clusters requires. Pegasus: server_state::create_app,
  // process_create_follower_app_status in src/meta/server_state.cpp.
  wire::configuration_create_app_response create(
      const wire::configuration_create_app_request& request, int64_t now_unix);

  // RPC_CM_DROP_APP. The name is free again at once; the record stays, dropped, with the time
  // until which its data is kept. Answers ERR_APP_NOT_EXIST, or ERR_OK if the request asks for
  // that.
  wire::configuration_drop_app_response drop(const wire::configuration_drop_app_request& request,
                                             int64_t now_unix);

  // RPC_CM_UPDATE_APP_ENV: set, delete, clear. All or nothing. Answers ERR_INVALID_PARAMETERS (with
  // the hint of check_app_env for a pair that is refused) or ERR_APP_NOT_EXIST.
  // Pegasus: server_state::{set,del,clear}_app_envs in src/meta/server_state.cpp.
  wire::configuration_update_app_env_response update_env(
      const wire::configuration_update_app_env_request& request);

  // Changes that are applied together, in memory and on disk, or not at all.
  struct Change {
    std::vector<AppRecord> apps = {};     // changed ones and new ones; if available, no other
                                          // available table has the name
    std::vector<int32_t> forgotten = {};  // dropped tables, with all that the store has of them
    std::optional<wire::meta_function_level> level = {};
    MetaBatch also = {};  // other values of the store
  };
  // Blocks. Errors: the store's.
  Result<void> commit(Change change);
  // Stores the record of a table, and other values with it. False, and a line in the log (`doing`
  // says what was being done), when it could not be written.
  bool replace(AppRecord record, std::string_view doing, MetaBatch also = {});

  // The record of a table restored from a backup: as it was, with another name, a new id, only
  // these app envs, and as many replicas as there are nodes for (Pegasus keeps the count, and the
  // table stays unhealthy). A table that was split before the backup has rows of other partitions
  // in its files, so that replica.split.validate_partition_hash is set for it. Give it to
  // replace().
  AppRecord make_restored(const wire::app_info& saved, const std::string& name,
                          std::map<std::string, std::string> envs, int64_t now_unix) const;

  // The meta server's function level: what it may do. Real meta servers reset it at start to
  // [meta_server] meta_function_level_on_start; here it is kept. Errors of set_level: the store's;
  // the level is then unchanged.
  wire::meta_function_level level() const { return state_.level; }
  Result<void> set_level(wire::meta_function_level level);
  // No tables are created, and no settings of tables change.
  bool is_frozen() const { return state_.level <= wire::meta_function_level::fl_freezed; }

  // Removes the record of a dropped table permanently, and all that the store has of it: call it
  // when its data is deleted. Errors: kNotFound, kRefused when it is not dropped, the store's.
  Result<void> forget(int32_t app_id);

  // Null when there is none. The record may change with the next change of the catalog, and is
  // destroyed by forget(). By name: available tables; by id: dropped ones too.
  const AppRecord* find(std::string_view name) const;
  const AppRecord* find_by_id(int32_t app_id) const;

  // The nodes of the partition's replicas beside its own. The partition exists.
  std::vector<int32_t> secondaries_of(const AppRecord& app, size_t partition) const;

  // By id, dropped ones too.
  const std::map<int32_t, AppRecord>& apps() const { return state_.apps; }
  // As one text, for people.
  std::string encoded() const;
  int node_count() const { return node_count_; }

 private:
  AppCatalog(MetaStore& store, int node_count, CatalogState state);

  Result<void> check_nodes() const;
  void put_in_memory(AppRecord app);
  AppRecord make_app(const wire::configuration_create_app_request& request, int64_t now_unix) const;
  wire::configuration_create_app_response create_existing(
      const wire::configuration_create_app_request& request, const AppRecord& app);
  wire::configuration_create_app_response create_follower(
      const wire::configuration_create_app_request& request, const AppRecord& app);
  std::vector<PartitionRecord> place(int32_t partition_count) const;

  MetaStore& store_;
  int node_count_;
  base::Logger log_;
  CatalogState state_;
  std::map<std::string, int32_t, std::less<>> available_;  // name to id
};

}  // namespace pegmove::server::meta
