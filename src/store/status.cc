#include "store/status.h"

#include <fmt/format.h>

#include <string>

namespace pegmove::store {
namespace {

constexpr std::string_view kDiskFull = "no space left on its disk";

bool means_disk_full(const rocksdb::Status& status, std::string_view text) {
  // Some paths of RocksDB keep the words of the system and lose the subcode.
  return status.IsNoSpace() || text.contains("No space left on device");
}

constexpr std::string_view kLocking = "While lock file";

// fcntl(2): a lock that another process has is EAGAIN or EACCES.
bool means_locked(std::string_view text) {
  return text.contains("lock hold by current process") ||
         (text.contains(kLocking) && (text.contains("Resource temporarily unavailable") ||
                                      text.contains("Permission denied")));
}

Code code_of(const rocksdb::Status& status, std::string_view text) {
  if (status.IsCorruption()) return Code::kCorrupt;
  if (status.IsIOError()) return means_locked(text) ? Code::kBusy : Code::kIo;
  if (status.IsBusy() || status.IsTryAgain()) return Code::kBusy;
  if (status.IsNotSupported()) return Code::kUnsupported;
  if (status.IsNotFound()) return Code::kNotFound;
  if (status.IsInvalidArgument()) return Code::kInvalidArgument;
  if (status.IsShutdownInProgress()) return Code::kInterrupted;
  return Code::kInternal;
}

}  // namespace

Error to_error(const rocksdb::Status& status, std::string_view doing, std::string_view path) {
  const std::string text = status.ToString();
  std::string message = fmt::format("{} the database {}: ", doing, path);
  if (means_disk_full(status, text)) {
    return {Code::kIo, fmt::format("{}{}; make space ({})", message, kDiskFull, text)};
  }
  const Code code = code_of(status, text);
  if (code == Code::kBusy && means_locked(text))
    message += "it is open already; close it first: ";
  else if (text.contains(kLocking))
    message += "file locks do not work on its file system; choose a folder on a local disk: ";
  return {code, message + text};
}

bool is_disk_full(const Error& error) {
  return error.code() == Code::kIo && error.message().contains(kDiskFull);
}

}  // namespace pegmove::store
