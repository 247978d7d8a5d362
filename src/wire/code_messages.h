// Which generated structs are the request and the reply of each RPC code (rpc_code.h). Source: the
// handler registrations in src/server/pegasus_read_service.h, pegasus_write_service.h and
// src/meta/meta_service.cpp in Pegasus.
#pragma once

#include <type_traits>

#include "backup_types.h"
#include "bulk_load_types.h"
#include "data_types.h"
#include "learn_types.h"
#include "meta_types.h"
#include "replica_admin_types.h"
#include "wire/rpc_code.h"

namespace pegmove::wire {

// X(code, request, reply). Two are special: CLEAR_SCANNER's body is a bare i64, and it has no
// reply; CLI_CALL takes a `command` and is answered with a bare string.
// clang-format off
#define PEGMOVE_CODE_MESSAGES(X)                                                                   \
  X(kPut, update_request, update_response)                                                         \
  X(kRemove, blob, update_response)                                                                \
  X(kMultiPut, multi_put_request, update_response)                                                 \
  X(kMultiRemove, multi_remove_request, multi_remove_response)                                     \
  X(kIncr, incr_request, incr_response)                                                            \
  X(kCheckAndSet, check_and_set_request, check_and_set_response)                                   \
  X(kCheckAndMutate, check_and_mutate_request, check_and_mutate_response)                          \
  X(kDuplicate, duplicate_request, duplicate_response)                                             \
  X(kGet, blob, read_response)                                                                     \
  X(kTtl, blob, ttl_response)                                                                      \
  X(kBatchGet, batch_get_request, batch_get_response)                                              \
  X(kMultiGet, multi_get_request, multi_get_response)                                              \
  X(kSortkeyCount, blob, count_response)                                                           \
  X(kGetScanner, get_scanner_request, scan_response)                                               \
  X(kScan, scan_request, scan_response)                                                            \
  X(kQueryConfig, query_cfg_request, query_cfg_response)                                           \
  X(kCreateApp, configuration_create_app_request, configuration_create_app_response)               \
  X(kDropApp, configuration_drop_app_request, configuration_drop_app_response)                     \
  X(kRecallApp, configuration_recall_app_request, configuration_recall_app_response)               \
  X(kRenameApp, configuration_rename_app_request, configuration_rename_app_response)               \
  X(kListApps, configuration_list_apps_request, configuration_list_apps_response)                  \
  X(kListNodes, configuration_list_nodes_request, configuration_list_nodes_response)               \
  X(kClusterInfo, configuration_cluster_info_request, configuration_cluster_info_response)         \
  X(kUpdateAppEnv, configuration_update_app_env_request, configuration_update_app_env_response)    \
  X(kGetMaxReplicaCount, configuration_get_max_replica_count_request,                              \
    configuration_get_max_replica_count_response)                                                  \
  X(kSetMaxReplicaCount, configuration_set_max_replica_count_request,                              \
    configuration_set_max_replica_count_response)                                                  \
  X(kGetAtomicIdempotent, configuration_get_atomic_idempotent_request,                             \
    configuration_get_atomic_idempotent_response)                                                  \
  X(kSetAtomicIdempotent, configuration_set_atomic_idempotent_request,                             \
    configuration_set_atomic_idempotent_response)                                                  \
  X(kControlMeta, configuration_meta_control_request, configuration_meta_control_response)         \
  X(kStartManualCompact, start_app_manual_compact_request, start_app_manual_compact_response)      \
  X(kQueryManualCompactStatus, query_app_manual_compact_request,                                   \
    query_app_manual_compact_response)                                                             \
  X(kStartBackupApp, start_backup_app_request, start_backup_app_response)                          \
  X(kQueryBackupStatus, query_backup_status_request, query_backup_status_response)                 \
  X(kAddBackupPolicy, configuration_add_backup_policy_request,                                     \
    configuration_add_backup_policy_response)                                                      \
  X(kModifyBackupPolicy, configuration_modify_backup_policy_request,                               \
    configuration_modify_backup_policy_response)                                                   \
  X(kQueryBackupPolicy, configuration_query_backup_policy_request,                                 \
    configuration_query_backup_policy_response)                                                    \
  X(kStartRestore, configuration_restore_request, configuration_create_app_response)               \
  X(kQueryRestoreStatus, configuration_query_restore_request, configuration_query_restore_response)\
  X(kStartBulkLoad, start_bulk_load_request, start_bulk_load_response)                             \
  X(kControlBulkLoad, control_bulk_load_request, control_bulk_load_response)                       \
  X(kQueryBulkLoadStatus, query_bulk_load_request, query_bulk_load_response)                       \
  X(kClearBulkLoad, clear_bulk_load_state_request, clear_bulk_load_state_response)                 \
  X(kAddDuplication, duplication_add_request, duplication_add_response)                            \
  X(kModifyDuplication, duplication_modify_request, duplication_modify_response)                   \
  X(kQueryDuplication, duplication_query_request, duplication_query_response)                      \
  X(kListDuplication, duplication_list_request, duplication_list_response)                         \
  X(kQueryDiskInfo, query_disk_info_request, query_disk_info_response)                             \
  X(kQueryLastCheckpoint, learn_request, learn_response)                                           \
  X(kNfsGetFileSize, get_file_size_request, get_file_size_response)                                \
  X(kNfsCopy, copy_request, copy_response)                                                         \
  X(kNegotiation, negotiation_request, negotiation_response)
// clang-format on

// Calls visit(std::type_identity<Request>(), std::type_identity<Reply>()) with the structs of the
// code, and returns its result. For codes without structs it returns `otherwise`.
template <typename Visit, typename Otherwise>
Otherwise visit_messages(RpcCode code, Visit visit, Otherwise otherwise) {
  switch (code) {
#define PEGMOVE_VISIT(identifier, Request, Reply) \
  case RpcCode::identifier:                       \
    return visit(std::type_identity<Request>(), std::type_identity<Reply>());
    PEGMOVE_CODE_MESSAGES(PEGMOVE_VISIT)
#undef PEGMOVE_VISIT
    default: return otherwise;
  }
}

}  // namespace pegmove::wire
