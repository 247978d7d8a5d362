// Administration of tables and the cluster.
// Field ids and types are those of Apache Pegasus:
// idl/dsn.layer2.thrift, metadata.thrift, meta_admin.thrift, security.thrift, duplication.thrift.
// A field that Pegasus always writes is given without `optional`. Custom scalar types are in dsn.thrift.
include "dsn.thrift"
namespace cpp pegmove.wire

enum app_status {
  AS_INVALID = 0,
  AS_AVAILABLE = 1,
  AS_CREATING = 2,
  AS_CREATE_FAILED = 3,
  AS_DROPPING = 4,
  AS_DROP_FAILED = 5,
  AS_DROPPED = 6,
  AS_RECALLING = 7,
}

enum node_status {
  NS_INVALID = 0,
  NS_ALIVE = 1,
  NS_UNALIVE = 2,
}

enum app_env_operation {
  APP_ENV_OP_INVALID = 0,
  APP_ENV_OP_SET = 1,
  APP_ENV_OP_DEL = 2,
  APP_ENV_OP_CLEAR = 3,
}

enum pattern_match_type {
  PMT_INVALID = 0,
  PMT_MATCH_ALL = 1,
  PMT_MATCH_EXACT = 2,
  PMT_MATCH_ANYWHERE = 3,
  PMT_MATCH_PREFIX = 4,
  PMT_MATCH_POSTFIX = 5,
  PMT_MATCH_REGEX = 6,
}

enum negotiation_status {
  INVALID = 0,
  SASL_LIST_MECHANISMS = 1,
  SASL_LIST_MECHANISMS_RESP = 2,
  SASL_SELECT_MECHANISMS = 3,
  SASL_SELECT_MECHANISMS_RESP = 4,
  SASL_INITIATE = 5,
  SASL_CHALLENGE = 6,
  SASL_CHALLENGE_RESP = 7,
  SASL_SUCC = 8,
  SASL_AUTH_DISABLE = 9,
  SASL_AUTH_FAIL = 10,
}

struct partition_configuration {
  1: dsn.gpid pid,
  2: i64 ballot,
  3: i32 max_replica_count,
  4: dsn.rpc_address primary,
  5: list<dsn.rpc_address> secondaries,
  6: list<dsn.rpc_address> last_drops,
  7: i64 last_committed_decree,
  8: i32 partition_flags,
  9: optional dsn.host_port hp_primary,
  10: optional list<dsn.host_port> hp_secondaries,
  11: optional list<dsn.host_port> hp_last_drops,
}

struct query_cfg_request {
  1: string app_name,
  2: list<i32> partition_indices,
}

struct query_cfg_response {
  1: dsn.error_code err,
  2: i32 app_id,
  3: i32 partition_count,
  4: bool is_stateful,
  5: list<partition_configuration> partitions,
}

struct app_info {
  1: app_status status = app_status.AS_INVALID,
  2: string app_type,
  3: string app_name,
  4: i32 app_id,
  5: i32 partition_count,
  6: map<string, string> envs,
  7: bool is_stateful,
  8: i32 max_replica_count,
  9: i64 expire_second,
  10: i64 create_second,
  11: i64 drop_second,
  12: optional bool duplicating = false,
  13: i32 init_partition_count = -1,
  14: optional bool is_bulk_loading = false,
  15: optional bool atomic_idempotent = false,
}

struct create_app_options {
  1: i32 partition_count,
  2: i32 replica_count,
  3: bool success_if_exist,
  4: string app_type,
  5: bool is_stateful,
  6: map<string, string> envs,
  7: optional bool atomic_idempotent = false,
}

struct configuration_create_app_request {
  1: string app_name,
  2: create_app_options options,
}

struct configuration_create_app_response {
  1: dsn.error_code err,
  2: i32 appid,
}

struct drop_app_options {
  1: bool success_if_not_exist,
  2: optional i64 reserve_seconds,
}

struct configuration_drop_app_request {
  1: string app_name,
  2: drop_app_options options,
}

struct configuration_drop_app_response {
  1: dsn.error_code err,
}

struct configuration_list_apps_request {
  1: app_status status = app_status.AS_INVALID,
  2: optional string app_name_pattern,
  3: optional pattern_match_type match_type,
}

struct configuration_list_apps_response {
  1: dsn.error_code err,
  2: list<app_info> infos,
  3: optional string hint_message,
}

struct node_info {
  1: node_status status = node_status.NS_INVALID,
  2: dsn.rpc_address node,
  3: optional dsn.host_port hp_node,
}

struct configuration_list_nodes_request {
  1: node_status status = node_status.NS_INVALID,
}

struct configuration_list_nodes_response {
  1: dsn.error_code err,
  2: list<node_info> infos,
}

struct configuration_cluster_info_request {
}

struct configuration_cluster_info_response {
  1: dsn.error_code err,
  2: list<string> keys,
  3: list<string> values,
}

struct configuration_update_app_env_request {
  1: string app_name,
  2: app_env_operation op = app_env_operation.APP_ENV_OP_INVALID,
  3: optional list<string> keys,
  4: optional list<string> values,
  5: optional string clear_prefix,
}

struct configuration_update_app_env_response {
  1: dsn.error_code err,
  2: string hint_message,
}

struct negotiation_request {
  1: negotiation_status status,
  2: dsn.blob msg,
}

struct negotiation_response {
  1: negotiation_status status,
  2: dsn.blob msg,
}

struct command {
  1: string cmd,
  2: list<string> arguments,
}

enum meta_function_level {
  fl_stopped = 100,
  fl_blind = 200,
  fl_freezed = 300,
  fl_steady = 400,
  fl_lively = 500,
  fl_invalid = 10000,
}

struct configuration_recall_app_request {
  1: i32 app_id,
  2: string new_app_name,
}

struct configuration_recall_app_response {
  1: dsn.error_code err,
  2: app_info info,
}

struct configuration_rename_app_request {
  1: string old_app_name,
  2: string new_app_name,
}

struct configuration_rename_app_response {
  1: dsn.error_code err,
  2: string hint_message,
}

struct configuration_get_max_replica_count_request {
  1: string app_name,
}

struct configuration_get_max_replica_count_response {
  1: dsn.error_code err,
  2: i32 max_replica_count,
  3: string hint_message,
}

struct configuration_set_max_replica_count_request {
  1: string app_name,
  2: i32 max_replica_count,
}

struct configuration_set_max_replica_count_response {
  1: dsn.error_code err,
  2: i32 old_max_replica_count,
  3: string hint_message,
}

struct configuration_get_atomic_idempotent_request {
  1: string app_name,
}

struct configuration_get_atomic_idempotent_response {
  1: dsn.error_code err,
  2: bool atomic_idempotent,
  3: string hint_message,
}

struct configuration_set_atomic_idempotent_request {
  1: string app_name,
  2: bool atomic_idempotent,
}

struct configuration_set_atomic_idempotent_response {
  1: dsn.error_code err,
  2: bool old_atomic_idempotent,
  3: string hint_message,
}

struct configuration_meta_control_request {
  1: meta_function_level level,
}

struct configuration_meta_control_response {
  1: dsn.error_code err,
  2: meta_function_level old_level,
}

struct start_app_manual_compact_request {
  1: string app_name,
  2: optional i64 trigger_time,
  3: optional i32 target_level,
  4: optional bool bottommost,
  5: optional i32 max_running_count,
}

struct start_app_manual_compact_response {
  1: dsn.error_code err,
  2: string hint_msg,
}

struct query_app_manual_compact_request {
  1: string app_name,
}

struct query_app_manual_compact_response {
  1: dsn.error_code err,
  2: string hint_msg,
  3: optional i32 progress,
}

enum duplication_status {
  DS_INIT = 0,
  DS_PREPARE = 1,
  DS_APP = 2,
  DS_LOG = 3,
  DS_PAUSE = 4,
  DS_REMOVED = 5,
}

enum duplication_fail_mode {
  FAIL_SLOW = 0,
  FAIL_SKIP = 1,
  FAIL_FAST = 2,
}

struct duplication_add_request {
  1: string app_name,
  2: string remote_cluster_name,
  3: optional bool is_duplicating_checkpoint = true,
  4: optional string remote_app_name,
  5: optional i32 remote_replica_count,
}

struct duplication_add_response {
  1: dsn.error_code err,
  2: i32 appid,
  3: i32 dupid,
  4: optional string hint,
  5: optional string remote_app_name,
  6: optional i32 remote_replica_count,
}

struct duplication_modify_request {
  1: string app_name,
  2: i32 dupid,
  3: optional duplication_status status,
  4: optional duplication_fail_mode fail_mode,
}

struct duplication_modify_response {
  1: dsn.error_code err,
  2: i32 appid,
}

// Fields 100 and 101 are ours: servers of Pegasus do not send them, and skip them.
struct duplication_partition_state {
  1: i64 confirmed_decree,
  2: i64 last_committed_decree,
  100: optional string error,
  101: optional string waits_for,
}

// Field 101 is ours. Field 10 of Pegasus, the mode, is neither sent nor read.
struct duplication_entry {
  1: i32 dupid,
  2: duplication_status status,
  3: string remote,
  4: i64 create_ts,
  5: optional map<i32, i64> progress,
  7: optional duplication_fail_mode fail_mode,
  8: optional string remote_app_name,
  9: optional i32 remote_replica_count,
  11: optional map<i32, duplication_partition_state> partition_states,
  101: optional string waits_for,
}

struct duplication_query_request {
  1: string app_name,
}

struct duplication_query_response {
  1: dsn.error_code err,
  3: i32 appid,
  4: list<duplication_entry> entry_list,
}

struct duplication_list_request {
  1: string app_name_pattern,
  2: pattern_match_type match_type,
}

struct duplication_app_state {
  1: i32 appid,
  2: map<i32, duplication_entry> duplications,
  3: string app_name,
  4: i32 partition_count,
}

struct duplication_list_response {
  1: dsn.error_code err,
  2: string hint_message,
  3: map<string, duplication_app_state> app_states,
}
