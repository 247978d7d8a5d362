// The files of a backup or of a bulk load on their way to this machine.
#pragma once

#include <string>
#include <vector>

#include "async/semaphore.h"
#include "blockstore/async_store.h"
#include "blockstore/stored_file.h"

namespace pegmove::blockstore {

// How files move, and who is told of it.
struct FilesTransfer {
  std::vector<RateLimit*> limits = {};
  async::Semaphore* files = nullptr;  // a permit for each file under way; null: one at a time
  std::function<bool()> should_stop = {};
  // Bytes that are done, of all. May go back when a file is tried again.
  std::function<void(int64_t done, int64_t all)> on_progress = {};
  std::function<void(const StoredFile& file)> on_file = {};  // that was moved
};

// Brings files of a folder of the store into a folder of this machine, which is made when it is
// missing, each checked against its size and MD5. Files that are there and right are kept; others
// are removed. When it returns, the folder holds exactly those files and they are on the disk.
// Errors name the file: kNotFound and kCorrupt, it is damaged; the store's; kInterrupted.
Task<> download_files(const AsyncStore& store, std::string from, std::vector<StoredFile> files,
                      std::string to, FilesTransfer how);

}  // namespace pegmove::blockstore
