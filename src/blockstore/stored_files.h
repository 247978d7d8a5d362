// Downloads the files of a backup or of a bulk load to this machine.
#pragma once

#include <string>
#include <vector>

#include "async/semaphore.h"
#include "blockstore/async_store.h"
#include "blockstore/stored_file.h"

namespace pegmove::blockstore {

// How files are transferred, and callbacks.
struct FilesTransfer {
  std::vector<RateLimit*> limits = {};
  async::Semaphore* files = nullptr;  // a permit for each file in transit; null: one at a time
  std::function<bool()> should_stop = {};
  // Bytes done, and in all. May decrease when a file is tried again.
  std::function<void(int64_t done, int64_t all)> on_progress = {};
  std::function<void(const StoredFile& file)> on_file = {};  // for each downloaded file
};

// Downloads files of a folder of the store to a folder of this machine, which is created if it is
// missing, each checked against its size and MD5. Correct files are kept; others are removed. On
// return the folder contains exactly those files, and they are on disk. Errors name the file:
// kNotFound and kCorrupt, it is damaged; the store's; kInterrupted.
Task<> download_files(const AsyncStore& store, std::string from, std::vector<StoredFile> files,
                      std::string to, FilesTransfer how);

}  // namespace pegmove::blockstore
