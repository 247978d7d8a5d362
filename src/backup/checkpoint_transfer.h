// Uploads a partition's checkpoint to a backup, and downloads it. Pegasus:
// src/replica/backup/cold_backup_context.cpp, src/replica/replica_restore.cpp.
#pragma once

#include <functional>
#include <string>

#include "async/semaphore.h"
#include "backup/failpoints.h"
#include "backup/reader.h"

namespace pegmove::backup {

// How files are transferred, and callbacks.
struct CheckpointTransfer {
  std::vector<blockstore::RateLimit*> limits = {};
  async::Semaphore* files = nullptr;  // a permit for each file in transit; null: one at a time
  std::function<bool()> should_stop = {};
  // Bytes done, and in all. May decrease when a file is tried again.
  std::function<void(int64_t done, int64_t all)> on_progress = {};
  // A file that was sent, or found in the store and verified.
  std::function<void(const std::string& name, const blockstore::Uploaded& file)> on_upload = {};
  FailpointListener on_failpoint = {};
};

struct LocalCheckpoint {
  std::string folder;  // contains its files and nothing else
  int64_t decree = 0;
  int64_t timestamp_ms = 0;
  std::string name;  // "chkpt_host_port"
};

// Uploads the files, backup_metadata and current_checkpoint, in this order, several files in
// parallel. May be repeated: existing files are verified by checksum and not sent again. When the
// partition is already complete, nothing is sent. Returns the bytes of the checkpoint. Errors name
// the file: those of the store; kInterrupted.
Task<int64_t> upload_checkpoint(const blockstore::AsyncStore& store, Place place, int32_t partition,
                                LocalCheckpoint local, CheckpointTransfer how);

// Downloads the checkpoint's files to a folder on this machine, which is created if it is missing,
// each checked against backup_metadata. Correct files are kept; others are removed. On return the
// folder contains exactly those files. Returns the metadata. Errors name the file: kNotFound and
// kCorrupt, the backup is damaged; the store's; kInterrupted.
Task<CheckpointMetadata> download_checkpoint(const blockstore::AsyncStore& store, Place place,
                                             int32_t partition, std::string folder,
                                             CheckpointTransfer how);

}  // namespace pegmove::backup
