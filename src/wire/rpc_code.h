// The RPC codes that are supported. Codes travel as names; a reply's name is the request's followed
// by "_ACK". Source: src/common/... task code registrations in Pegasus.
#pragma once

#include <cstdint>
#include <string_view>

namespace pegmove::wire {

// X(identifier, name)
// clang-format off
#define PEGMOVE_RPC_CODES(X)                                         \
  X(kPut, "RPC_RRDB_RRDB_PUT")                                       \
  X(kRemove, "RPC_RRDB_RRDB_REMOVE")                                 \
  X(kMultiPut, "RPC_RRDB_RRDB_MULTI_PUT")                            \
  X(kMultiRemove, "RPC_RRDB_RRDB_MULTI_REMOVE")                      \
  X(kIncr, "RPC_RRDB_RRDB_INCR")                                     \
  X(kCheckAndSet, "RPC_RRDB_RRDB_CHECK_AND_SET")                     \
  X(kCheckAndMutate, "RPC_RRDB_RRDB_CHECK_AND_MUTATE")               \
  X(kDuplicate, "RPC_RRDB_RRDB_DUPLICATE")                           \
  X(kGet, "RPC_RRDB_RRDB_GET")                                       \
  X(kTtl, "RPC_RRDB_RRDB_TTL")                                       \
  X(kBatchGet, "RPC_RRDB_RRDB_BATCH_GET")                            \
  X(kMultiGet, "RPC_RRDB_RRDB_MULTI_GET")                            \
  X(kSortkeyCount, "RPC_RRDB_RRDB_SORTKEY_COUNT")                    \
  X(kGetScanner, "RPC_RRDB_RRDB_GET_SCANNER")                        \
  X(kScan, "RPC_RRDB_RRDB_SCAN")                                     \
  X(kClearScanner, "RPC_RRDB_RRDB_CLEAR_SCANNER")                    \
  X(kQueryConfig, "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX")          \
  X(kCreateApp, "RPC_CM_CREATE_APP")                                 \
  X(kDropApp, "RPC_CM_DROP_APP")                                     \
  X(kRecallApp, "RPC_CM_RECALL_APP")                                 \
  X(kRenameApp, "RPC_CM_RENAME_APP")                                 \
  X(kListApps, "RPC_CM_LIST_APPS")                                   \
  X(kListNodes, "RPC_CM_LIST_NODES")                                 \
  X(kClusterInfo, "RPC_CM_CLUSTER_INFO")                             \
  X(kUpdateAppEnv, "RPC_CM_UPDATE_APP_ENV")                          \
  X(kGetMaxReplicaCount, "RPC_CM_GET_MAX_REPLICA_COUNT")             \
  X(kSetMaxReplicaCount, "RPC_CM_SET_MAX_REPLICA_COUNT")             \
  X(kGetAtomicIdempotent, "RPC_CM_GET_ATOMIC_IDEMPOTENT")            \
  X(kSetAtomicIdempotent, "RPC_CM_SET_ATOMIC_IDEMPOTENT")            \
  X(kControlMeta, "RPC_CM_CONTROL_META")                             \
  X(kStartManualCompact, "RPC_CM_START_MANUAL_COMPACT")              \
  X(kQueryManualCompactStatus, "RPC_CM_QUERY_MANUAL_COMPACT_STATUS") \
  X(kStartBackupApp, "RPC_CM_START_BACKUP_APP")                      \
  X(kQueryBackupStatus, "RPC_CM_QUERY_BACKUP_STATUS")                \
  X(kAddBackupPolicy, "RPC_CM_ADD_BACKUP_POLICY")                    \
  X(kModifyBackupPolicy, "RPC_CM_MODIFY_BACKUP_POLICY")              \
  X(kQueryBackupPolicy, "RPC_CM_QUERY_BACKUP_POLICY")                \
  X(kStartRestore, "RPC_CM_START_RESTORE")                           \
  X(kQueryRestoreStatus, "RPC_CM_QUERY_RESTORE_STATUS")              \
  X(kStartBulkLoad, "RPC_CM_START_BULK_LOAD")                        \
  X(kControlBulkLoad, "RPC_CM_CONTROL_BULK_LOAD")                    \
  X(kQueryBulkLoadStatus, "RPC_CM_QUERY_BULK_LOAD_STATUS")           \
  X(kClearBulkLoad, "RPC_CM_CLEAR_BULK_LOAD")                        \
  X(kAddDuplication, "RPC_CM_ADD_DUPLICATION")                       \
  X(kModifyDuplication, "RPC_CM_MODIFY_DUPLICATION")                 \
  X(kQueryDuplication, "RPC_CM_QUERY_DUPLICATION")                   \
  X(kListDuplication, "RPC_CM_LIST_DUPLICATION")                     \
  X(kQueryDiskInfo, "RPC_QUERY_DISK_INFO")                           \
  X(kQueryLastCheckpoint, "RPC_QUERY_LAST_CHECKPOINT_INFO")          \
  X(kNfsGetFileSize, "RPC_NFS_GET_FILE_SIZE")                        \
  X(kNfsCopy, "RPC_NFS_COPY")                                        \
  X(kCliCall, "RPC_CLI_CLI_CALL")                                    \
  X(kNegotiation, "RPC_NEGOTIATION")
// clang-format on

enum class RpcCode : uint8_t {
  kUnknown,
#define PEGMOVE_DECLARE(identifier, name) identifier,
  PEGMOVE_RPC_CODES(PEGMOVE_DECLARE)
#undef PEGMOVE_DECLARE
};

// The name of a code; empty for kUnknown.
std::string_view rpc_name(RpcCode code);
// kUnknown when the name is not supported. Names of replies are not codes.
RpcCode rpc_code_from_name(std::string_view name);

// True for the codes that belong to a partition (requests with app_id > 0).
bool is_data_code(RpcCode code);

}  // namespace pegmove::wire
