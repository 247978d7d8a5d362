#include "wire/error_code.h"

#include <gtest/gtest.h>

#include <iterator>
#include <string>
#include <string_view>

namespace pegmove::wire {
namespace {

// Names in the order of their numbers, as Pegasus registers them.
constexpr std::string_view kNames[] = {"OK",
                                       "UNKNOWN",
                                       "SERVICE_NOT_FOUND",
                                       "SERVICE_ALREADY_RUNNING",
                                       "IO_PENDING",
                                       "TIMEOUT",
                                       "SERVICE_NOT_ACTIVE",
                                       "BUSY",
                                       "NETWORK_INIT_FAILED",
                                       "FORWARD_TO_OTHERS",
                                       "OBJECT_NOT_FOUND",
                                       "HANDLER_NOT_FOUND",
                                       "LEARN_FILE_FAILED",
                                       "GET_LEARN_STATE_FAILED",
                                       "INVALID_VERSION",
                                       "INVALID_PARAMETERS",
                                       "CAPACITY_EXCEEDED",
                                       "INVALID_STATE",
                                       "INACTIVE_STATE",
                                       "NOT_ENOUGH_MEMBER",
                                       "FILE_OPERATION_FAILED",
                                       "HANDLE_EOF",
                                       "WRONG_CHECKSUM",
                                       "INVALID_DATA",
                                       "INVALID_HANDLE",
                                       "INCOMPLETE_DATA",
                                       "VERSION_OUTDATED",
                                       "PATH_NOT_FOUND",
                                       "PATH_ALREADY_EXIST",
                                       "ADDRESS_ALREADY_USED",
                                       "STATE_FREEZED",
                                       "LOCAL_APP_FAILURE",
                                       "BIND_IOCP_FAILED",
                                       "NETWORK_START_FAILED",
                                       "NOT_IMPLEMENTED",
                                       "CHECKPOINT_FAILED",
                                       "WRONG_TIMING",
                                       "NO_NEED_OPERATE",
                                       "CORRUPTION",
                                       "TRY_AGAIN",
                                       "CLUSTER_NOT_FOUND",
                                       "CLUSTER_ALREADY_EXIST",
                                       "SERVICE_ALREADY_EXIST",
                                       "INJECTED",
                                       "REPLICATION_FAILURE",
                                       "APP_EXIST",
                                       "APP_NOT_EXIST",
                                       "BUSY_CREATING",
                                       "BUSY_DROPPING",
                                       "NETWORK_FAILURE",
                                       "UNDER_RECOVERY",
                                       "LEARNER_NOT_FOUND",
                                       "OPERATION_DISABLED",
                                       "EXPIRED",
                                       "LOCK_ALREADY_EXIST",
                                       "HOLD_BY_OTHERS",
                                       "RECURSIVE_LOCK",
                                       "NO_OWNER",
                                       "NODE_ALREADY_EXIST",
                                       "INCONSISTENT_STATE",
                                       "ARRAY_INDEX_OUT_OF_RANGE",
                                       "DIR_NOT_EMPTY",
                                       "FS_INTERNAL",
                                       "IGNORE_BAD_DATA",
                                       "APP_DROPPED",
                                       "MOCK_INTERNAL",
                                       "ZOOKEEPER_OPERATION",
                                       "CHILD_REGISTERED",
                                       "INGESTION_FAILED",
                                       "UNAUTHENTICATED",
                                       "KRB5_INTERNAL",
                                       "SASL_INTERNAL",
                                       "SASL_INCOMPLETE",
                                       "ACL_DENY",
                                       "SPLITTING",
                                       "PARENT_PARTITION_MISUSED",
                                       "CHILD_NOT_READY",
                                       "DISK_INSUFFICIENT",
                                       "RETRY_EXHAUSTED",
                                       "SYNC_RANGER_POLICIES_FAILED",
                                       "RANGER_PARSE_ACL",
                                       "RANGER_POLICIES_NO_NEED_UPDATE",
                                       "RDB_CORRUPTION",
                                       "DISK_IO_ERROR",
                                       "CURL_FAILED",
                                       "DUP_EXIST",
                                       "HTTP_ERROR",
                                       "NOT_MATCHED"};
static_assert(std::size(kNames) == 88);

TEST(ErrorCode, HasTheNamesAndNumbersOfPegasus) {
  for (size_t number = 0; number < std::size(kNames); ++number) {
    auto name = "ERR_" + std::string(kNames[number]);
    EXPECT_EQ(error_name(ErrorCode(number)), name);
    EXPECT_EQ(int(error_from_name(name)), int(number)) << name;
  }
  EXPECT_EQ(int(ErrorCode::kNotMatched), 87);
}

TEST(ErrorCode, TakesNamesNobodyKnowsForUnknown) {
  for (std::string_view name :
       {"", "OK", "ERR_", "ERR_ok", "ERR_OK ", "ERR_OKAY", "ERR_O", "ERR_SESSION_RESET", "UNKNOWN"})
    EXPECT_EQ(error_from_name(name), ErrorCode::kUnknown) << name;
  EXPECT_EQ(error_from_name({"ERR_OK\0", 7}), ErrorCode::kUnknown);
}

TEST(ErrorCode, NamesNumbersOutsideTheTableUnknown) {
  EXPECT_EQ(error_name(ErrorCode(88)), "ERR_UNKNOWN");
  EXPECT_EQ(error_name(ErrorCode(-1)), "ERR_UNKNOWN");
}

TEST(ErrorCode, EveryNameFitsTheFieldOfAFrame) {
  for (auto name : kNames) EXPECT_LE(4 + name.size(), 47U) << name;
}

TEST(ErrorCode, BecomesAnErrorThatKeepsNameAndNumber) {
  auto error = to_error(ErrorCode::kAppNotExist, "table t");
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_EQ(error.message(), "table t: ERR_APP_NOT_EXIST");
  EXPECT_EQ(error.wire_code(), 46);
  EXPECT_EQ(to_error(ErrorCode::kBusy, "").message(), "ERR_BUSY");
}

TEST(ErrorCode, TellsCallersWhatTheyCanDo) {
  EXPECT_EQ(to_error(ErrorCode::kTimeout, "").code(), Code::kTimeout);
  EXPECT_EQ(to_error(ErrorCode::kBusyCreating, "").code(), Code::kBusy);
  EXPECT_EQ(to_error(ErrorCode::kNetworkFailure, "").code(), Code::kUnreachable);
  EXPECT_EQ(to_error(ErrorCode::kAppExist, "").code(), Code::kAlreadyExists);
  EXPECT_EQ(to_error(ErrorCode::kInvalidParameters, "").code(), Code::kInvalidArgument);
  EXPECT_EQ(to_error(ErrorCode::kHandlerNotFound, "").code(), Code::kUnsupported);
  EXPECT_EQ(to_error(ErrorCode::kUnauthenticated, "").code(), Code::kUnauthenticated);
  EXPECT_EQ(to_error(ErrorCode::kAclDeny, "").code(), Code::kRefused);
}

TEST(StorageStatus, HasTheWordsOfRocksDb) {
  EXPECT_EQ(storage_status_name(0), "ok");
  EXPECT_EQ(storage_status_name(1), "not found");
  EXPECT_EQ(storage_status_name(4), "invalid argument");
  EXPECT_EQ(storage_status_name(7), "incomplete");
  EXPECT_EQ(storage_status_name(13), "try again");
  EXPECT_EQ(storage_status_name(14), "storage status 14");
  EXPECT_EQ(storage_status_name(-1), "storage status -1");
}

TEST(StorageStatus, BecomesAnError) {
  auto error = to_error(StorageStatus::kCorruption, "get");
  EXPECT_EQ(error.code(), Code::kCorrupt);
  EXPECT_EQ(error.message(), "get: corruption");
  EXPECT_EQ(error.wire_code(), -1002);
  EXPECT_EQ(storage_status_of(error), StorageStatus::kCorruption);
  EXPECT_EQ(storage_status_of(to_error(StorageStatus(1), "")), StorageStatus::kNotFound);
}

TEST(StorageStatus, IsToldFromOtherErrors) {
  EXPECT_EQ(storage_status_of(to_error(ErrorCode::kBusy, "")), std::nullopt);
  EXPECT_EQ(storage_status_of(Error(Code::kTimeout, "")), std::nullopt);
  for (int number : {-1, INT32_MIN, INT32_MAX})
    EXPECT_EQ(storage_status_of(to_error(StorageStatus(number), "")), std::nullopt) << number;
}

}  // namespace
}  // namespace pegmove::wire
