#include "wire/error_code.h"

#include <algorithm>
#include <array>

namespace pegmove::wire {
namespace {

constexpr std::string_view kErrorNames[] = {
#define PEGMOVE_NAME(identifier, name) "ERR_" #name,
    PEGMOVE_ERROR_CODES(PEGMOVE_NAME)
#undef PEGMOVE_NAME
};

constexpr int kStorageBase = -1000;
constexpr int kMostStatus = 1'000'000;

Code code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kTimeout: return Code::kTimeout;
    case ErrorCode::kNetworkFailure: return Code::kUnreachable;
    case ErrorCode::kObjectNotFound:
    case ErrorCode::kAppNotExist:
    case ErrorCode::kAppDropped:
    case ErrorCode::kPathNotFound: return Code::kNotFound;
    case ErrorCode::kAppExist:
    case ErrorCode::kDupExist: return Code::kAlreadyExists;
    case ErrorCode::kInvalidParameters:
    case ErrorCode::kInvalidData: return Code::kInvalidArgument;
    case ErrorCode::kBusy:
    case ErrorCode::kSplitting:
    case ErrorCode::kCapacityExceeded:
    case ErrorCode::kNotEnoughMember:
    case ErrorCode::kTryAgain:
    case ErrorCode::kUnderRecovery:
    case ErrorCode::kServiceNotActive:
    case ErrorCode::kBusyCreating:
    case ErrorCode::kBusyDropping: return Code::kBusy;
    case ErrorCode::kHandlerNotFound:
    case ErrorCode::kNotImplemented: return Code::kUnsupported;
    case ErrorCode::kUnauthenticated: return Code::kUnauthenticated;
    case ErrorCode::kCorruption:
    case ErrorCode::kRdbCorruption:
    case ErrorCode::kWrongChecksum: return Code::kCorrupt;
    case ErrorCode::kDiskInsufficient:
    case ErrorCode::kDiskIoError:
    case ErrorCode::kFileOperationFailed: return Code::kIo;
    default: return Code::kRefused;
  }
}

Code code_of(StorageStatus status) {
  switch (status) {
    case StorageStatus::kNotFound: return Code::kNotFound;
    case StorageStatus::kCorruption: return Code::kCorrupt;
    case StorageStatus::kNotSupported: return Code::kUnsupported;
    case StorageStatus::kInvalidArgument: return Code::kInvalidArgument;
    case StorageStatus::kIoError: return Code::kIo;
    default: return Code::kRefused;
  }
}

std::string join(std::string_view what, std::string_view name) {
  std::string text(what);
  if (!text.empty()) text += ": ";
  return text.append(name);
}

}  // namespace

std::string_view error_name(ErrorCode code) {
  auto number = size_t(code);
  return number < std::size(kErrorNames) ? kErrorNames[number] : kErrorNames[1];
}

ErrorCode error_from_name(std::string_view name) {
  if (name == kErrorNames[0]) return ErrorCode::kOk;
  auto found = std::ranges::find(kErrorNames, name);
  return found == std::end(kErrorNames) ? ErrorCode::kUnknown
                                        : ErrorCode(found - std::begin(kErrorNames));
}

std::string storage_status_name(int32_t status) {
  static constexpr std::string_view kNames[] = {"ok",
                                                "not found",
                                                "corruption",
                                                "not supported",
                                                "invalid argument",
                                                "io error",
                                                "merge in progress",
                                                "incomplete",
                                                "shutdown in progress",
                                                "timed out",
                                                "aborted",
                                                "busy",
                                                "expired",
                                                "try again"};
  if (status >= 0 && size_t(status) < std::size(kNames)) return std::string(kNames[status]);
  return "storage status " + std::to_string(status);
}

Error to_error(ErrorCode code, std::string_view what) {
  return Error(code_of(code), join(what, error_name(code))).with_wire_code(int(code));
}

Error to_error(StorageStatus status, std::string_view what) {
  auto number = int(status);
  Error error(code_of(status), join(what, storage_status_name(number)));
  if (number <= 0 || number > kMostStatus) return error;  // not a status of Pegasus
  return std::move(error).with_wire_code(kStorageBase - number);
}

std::optional<StorageStatus> storage_status_of(const Error& error) {
  auto number = error.wire_code();
  if (!number || *number >= kStorageBase) return std::nullopt;
  return StorageStatus(kStorageBase - *number);
}

}  // namespace pegmove::wire
