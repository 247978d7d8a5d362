#include "store/log_sync.h"

#include <memory>
#include <utility>
#include <vector>

#include "store/disk.h"
#include "store/folder.h"

namespace pegmove::store {

LogSync::LogSync(rocksdb::Env* env, std::string path)
    : env_(env != nullptr ? *env : disk()), path_(std::move(path)) {}

void LogSync::OnMemTableSealed(const rocksdb::MemTableInfo& /*info*/) {
  std::vector<std::string> names;
  env_.GetChildren(path_, &names).PermitUncheckedError();
  for (const std::string& name : names) {
    if (!name.ends_with(".log")) continue;
    // Opening it this way does not create one that RocksDB has just removed.
    std::unique_ptr<rocksdb::RandomRWFile> log;
    if (env_.NewRandomRWFile(file_in(path_, name), &log, rocksdb::EnvOptions()).ok()) {
      log->Sync().PermitUncheckedError();
    }
  }
}

}  // namespace pegmove::store
