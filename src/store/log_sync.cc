#include "store/log_sync.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "store/disk.h"
#include "store/folder.h"

namespace pegmove::store {
namespace {

rocksdb::Status list_logs(rocksdb::Env& env, const std::string& path,
                          std::vector<std::string>& names) {
  const rocksdb::Status status = env.GetChildren(path, &names);
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".log"); });
  std::ranges::sort(names);
  return status;
}

}  // namespace

LogSync::LogSync(rocksdb::Env* env, std::string path)
    : env_(env != nullptr ? *env : disk()), path_(std::move(path)) {}

void LogSync::OnMemTableSealed(const rocksdb::MemTableInfo& /*info*/) {
  std::vector<std::string> logs;
  rocksdb::Status status = list_logs(env_, path_, logs);
  if (status.ok()) status = sync_files(logs);
  if (!status.ok()) has_failed_ = true;
}

rocksdb::Status LogSync::sync() {
  std::vector<std::string> logs;
  rocksdb::Status status = list_logs(env_, path_, logs);
  if (status.ok()) status = sync_files(logs);
  if (status.ok()) status = sync_folder(std::move(logs));
  if (!status.ok()) has_failed_ = true;
  if (status.ok() && has_failed_) status = rocksdb::Status::IOError("a sync of a log has failed");
  return status;
}

// All of them, also after a failure; returns the first.
rocksdb::Status LogSync::sync_files(const std::vector<std::string>& logs) {
  rocksdb::Status first;
  for (const std::string& name : logs) {
    // Opening it this way does not create one that RocksDB has just removed.
    std::unique_ptr<rocksdb::RandomRWFile> log;
    rocksdb::Status status =
        env_.NewRandomRWFile(file_in(path_, name), &log, rocksdb::EnvOptions());
    if (status.ok()) status = log->Sync();
    const bool is_removed = status.IsNotFound() || status.IsPathNotFound();
    if (!status.ok() && !is_removed && first.ok()) first = status;
  }
  return first;
}

// The names of the logs: a new log is of no use without its name.
rocksdb::Status LogSync::sync_folder(std::vector<std::string> logs) {
  const std::lock_guard lock(mutex_);
  if (logs == synced_names_) return rocksdb::Status::OK();
  std::unique_ptr<rocksdb::Directory> folder;
  rocksdb::Status status = env_.NewDirectory(path_, &folder);
  if (status.ok()) status = folder->Fsync();
  if (status.ok()) synced_names_ = std::move(logs);
  return status;
}

}  // namespace pegmove::store
