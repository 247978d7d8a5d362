// The two number spaces of Pegasus errors.
//
// ErrorCode: "RPC-level" errors and the `err` fields of administrative messages. They travel as
// names (ERR_OK, ...); the numbers appear only in logs and exit messages. Source of names and
// order: src/utils/error_code.h in Pegasus.
//
// StorageStatus: the i32 `error` field of every data response; RocksDB's status codes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::wire {

// X(identifier, wire name without "ERR_"), in registration order: the position is the number.
// clang-format off
#define PEGMOVE_ERROR_CODES(X)                                                                    \
  X(kOk, OK) X(kUnknown, UNKNOWN) X(kServiceNotFound, SERVICE_NOT_FOUND)                          \
  X(kServiceAlreadyRunning, SERVICE_ALREADY_RUNNING) X(kIoPending, IO_PENDING)                    \
  X(kTimeout, TIMEOUT) X(kServiceNotActive, SERVICE_NOT_ACTIVE) X(kBusy, BUSY)                    \
  X(kNetworkInitFailed, NETWORK_INIT_FAILED) X(kForwardToOthers, FORWARD_TO_OTHERS)               \
  X(kObjectNotFound, OBJECT_NOT_FOUND) X(kHandlerNotFound, HANDLER_NOT_FOUND)                     \
  X(kLearnFileFailed, LEARN_FILE_FAILED) X(kGetLearnStateFailed, GET_LEARN_STATE_FAILED)          \
  X(kInvalidVersion, INVALID_VERSION) X(kInvalidParameters, INVALID_PARAMETERS)                   \
  X(kCapacityExceeded, CAPACITY_EXCEEDED) X(kInvalidState, INVALID_STATE)                         \
  X(kInactiveState, INACTIVE_STATE) X(kNotEnoughMember, NOT_ENOUGH_MEMBER)                        \
  X(kFileOperationFailed, FILE_OPERATION_FAILED) X(kHandleEof, HANDLE_EOF)                        \
  X(kWrongChecksum, WRONG_CHECKSUM) X(kInvalidData, INVALID_DATA)                                 \
  X(kInvalidHandle, INVALID_HANDLE) X(kIncompleteData, INCOMPLETE_DATA)                           \
  X(kVersionOutdated, VERSION_OUTDATED) X(kPathNotFound, PATH_NOT_FOUND)                          \
  X(kPathAlreadyExist, PATH_ALREADY_EXIST) X(kAddressAlreadyUsed, ADDRESS_ALREADY_USED)           \
  X(kStateFreezed, STATE_FREEZED) X(kLocalAppFailure, LOCAL_APP_FAILURE)                          \
  X(kBindIocpFailed, BIND_IOCP_FAILED) X(kNetworkStartFailed, NETWORK_START_FAILED)               \
  X(kNotImplemented, NOT_IMPLEMENTED) X(kCheckpointFailed, CHECKPOINT_FAILED)                     \
  X(kWrongTiming, WRONG_TIMING) X(kNoNeedOperate, NO_NEED_OPERATE) X(kCorruption, CORRUPTION)     \
  X(kTryAgain, TRY_AGAIN) X(kClusterNotFound, CLUSTER_NOT_FOUND)                                  \
  X(kClusterAlreadyExist, CLUSTER_ALREADY_EXIST) X(kServiceAlreadyExist, SERVICE_ALREADY_EXIST)   \
  X(kInjected, INJECTED) X(kReplicationFailure, REPLICATION_FAILURE) X(kAppExist, APP_EXIST)      \
  X(kAppNotExist, APP_NOT_EXIST) X(kBusyCreating, BUSY_CREATING) X(kBusyDropping, BUSY_DROPPING)  \
  X(kNetworkFailure, NETWORK_FAILURE) X(kUnderRecovery, UNDER_RECOVERY)                           \
  X(kLearnerNotFound, LEARNER_NOT_FOUND) X(kOperationDisabled, OPERATION_DISABLED)                \
  X(kExpired, EXPIRED) X(kLockAlreadyExist, LOCK_ALREADY_EXIST) X(kHoldByOthers, HOLD_BY_OTHERS)  \
  X(kRecursiveLock, RECURSIVE_LOCK) X(kNoOwner, NO_OWNER)                                         \
  X(kNodeAlreadyExist, NODE_ALREADY_EXIST) X(kInconsistentState, INCONSISTENT_STATE)              \
  X(kArrayIndexOutOfRange, ARRAY_INDEX_OUT_OF_RANGE) X(kDirNotEmpty, DIR_NOT_EMPTY)               \
  X(kFsInternal, FS_INTERNAL) X(kIgnoreBadData, IGNORE_BAD_DATA) X(kAppDropped, APP_DROPPED)      \
  X(kMockInternal, MOCK_INTERNAL) X(kZookeeperOperation, ZOOKEEPER_OPERATION)                     \
  X(kChildRegistered, CHILD_REGISTERED) X(kIngestionFailed, INGESTION_FAILED)                     \
  X(kUnauthenticated, UNAUTHENTICATED) X(kKrb5Internal, KRB5_INTERNAL)                            \
  X(kSaslInternal, SASL_INTERNAL) X(kSaslIncomplete, SASL_INCOMPLETE) X(kAclDeny, ACL_DENY)       \
  X(kSplitting, SPLITTING) X(kParentPartitionMisused, PARENT_PARTITION_MISUSED)                   \
  X(kChildNotReady, CHILD_NOT_READY) X(kDiskInsufficient, DISK_INSUFFICIENT)                      \
  X(kRetryExhausted, RETRY_EXHAUSTED) X(kSyncRangerPoliciesFailed, SYNC_RANGER_POLICIES_FAILED)   \
  X(kRangerParseAcl, RANGER_PARSE_ACL)                                                            \
  X(kRangerPoliciesNoNeedUpdate, RANGER_POLICIES_NO_NEED_UPDATE)                                  \
  X(kRdbCorruption, RDB_CORRUPTION) X(kDiskIoError, DISK_IO_ERROR) X(kCurlFailed, CURL_FAILED)    \
  X(kDupExist, DUP_EXIST) X(kHttpError, HTTP_ERROR) X(kNotMatched, NOT_MATCHED)
// clang-format on

enum class ErrorCode : int32_t {
#define PEGMOVE_DECLARE(identifier, name) identifier,
  PEGMOVE_ERROR_CODES(PEGMOVE_DECLARE)
#undef PEGMOVE_DECLARE
};

// "ERR_OK", ...
std::string_view error_name(ErrorCode code);
// An unknown name gives kUnknown, as in Pegasus.
ErrorCode error_from_name(std::string_view name);

enum class StorageStatus : int32_t {
  kOk = 0,
  kNotFound = 1,
  kCorruption = 2,
  kNotSupported = 3,
  kInvalidArgument = 4,
  kIoError = 5,
  kIncomplete = 7,  // a limit was reached: the result is partial
  kTryAgain = 13,   // the check of a check-and-set failed
};
// "not found", "invalid argument", ...: the words of RocksDB.
std::string storage_status_name(int32_t status);

// As an Error; the message is `what` and the name. Precondition: not kOk.
Error to_error(ErrorCode code, std::string_view what);
// Its wire_code() is -1000 minus the status, as Pegasus's C++ client numbers storage errors
// (src/include/pegasus/error_def.h).
Error to_error(StorageStatus status, std::string_view what);
// The status of an error that was made from one; nullopt for others.
std::optional<StorageStatus> storage_status_of(const Error& error);

}  // namespace pegmove::wire
