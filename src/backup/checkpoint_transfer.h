// A partition's checkpoint on its way into a backup and out of it. Pegasus:
// src/replica/backup/cold_backup_context.cpp, src/replica/replica_restore.cpp.
#pragma once

#include <functional>
#include <string>

#include "async/semaphore.h"
#include "backup/failpoints.h"
#include "backup/reader.h"

namespace pegmove::backup {

// How files move, and who is told of it.
struct CheckpointTransfer {
  std::vector<blockstore::RateLimit*> limits = {};
  async::Semaphore* files = nullptr;  // a permit for each file under way; null: one at a time
  std::function<bool()> should_stop = {};
  // Bytes that are done, of all. May go back when a file is tried again.
  std::function<void(int64_t done, int64_t all)> on_progress = {};
  // A file that was sent, or found there and proven.
  std::function<void(const std::string& name, const blockstore::Uploaded& file)> on_upload = {};
  FailpointListener on_failpoint = {};
};

struct LocalCheckpoint {
  std::string folder;  // holds its files and nothing else
  int64_t decree = 0;
  int64_t timestamp_ms = 0;
  std::string name;  // "chkpt_host_port"
};

// Brings the files, backup_metadata and current_checkpoint into the store, in this order, several
// files at once. May be repeated: what is there already is proven by checksum and not sent again.
// When the partition is done, by whomever, nothing is sent. Returns the bytes of the checkpoint.
// Errors name the file: those of the store; kInterrupted.
Task<int64_t> upload_checkpoint(const blockstore::AsyncStore& store, Place place, int32_t partition,
                                LocalCheckpoint local, CheckpointTransfer how);

// Brings the checkpoint's files into a folder of this machine, which is made when it is missing,
// each checked against backup_metadata. Files that are there and right are kept; others are
// removed. When it returns, the folder holds exactly those files. Returns the metadata. Errors name
// the file: kNotFound and kCorrupt, the backup is damaged; the store's; kInterrupted.
Task<CheckpointMetadata> download_checkpoint(const blockstore::AsyncStore& store, Place place,
                                             int32_t partition, std::string folder,
                                             CheckpointTransfer how);

}  // namespace pegmove::backup
