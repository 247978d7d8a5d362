// The values of a meta server on disk, in one file: `<folder>/meta_store`. Committed batches
// survive kills and power cuts, each whole or not at all.
//
// A commit appends one record to the file and waits for the disk once; batches that were added
// meanwhile share the next record. The first commit after a start, and one that finds the file much
// larger than its values, writes a new file beside it and renames that into place. So does the one
// after a failed write, whose effect on the file is unknown.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "server/meta/store/meta_files.h"
#include "server/meta/store/meta_values.h"

namespace pegmove::server::meta {

struct MetaStoreOptions {
  size_t growth = 1 << 20;  // bytes by which the file may grow before it is rewritten
};

// Safe from any thread; one process per folder.
class MetaStore {
  struct Group;

 public:
  // Batches that are written together; shared by everyone who added one.
  using Ticket = std::shared_ptr<Group>;

  // `folder` must exist. Errors: kIo; kCorrupt, naming the file and the byte where it is wrong;
  // kUnsupported. A failed open changes nothing.
  static Result<std::unique_ptr<MetaStore>> open(const std::string& folder,
                                                 std::unique_ptr<MetaFiles> files,
                                                 MetaStoreOptions options = {});

  // Queues the batch for the next commit, without waiting. Batches reach the disk in the order of
  // these calls. Batches of a failed write are not retried.
  Ticket add(MetaBatch batch);
  // Returns when that batch is on disk. Blocks. Errors: kIo, kNotFound (the folder is gone): it is
  // not applied, but may appear after a restart if nothing is committed before that; kTooLarge for
  // a batch of more than kMostRecordBytes.
  Result<void> flush(const Ticket& ticket);
  // Both. Also waits for batches added before.
  Result<void> commit(MetaBatch batch) { return flush(add(std::move(batch))); }

  // What is on disk. Waits for a running commit.
  MetaValues values() const;
  const std::string& path() const { return path_; }

 private:
  MetaStore(std::string path, std::unique_ptr<MetaFiles> files, MetaStoreOptions options,
            MetaValues values);
  Ticket next_group();
  Result<void> write(const Group& group);
  Result<void> append(const Group& group);
  Result<void> rewrite(const MetaBatch& batch);

  std::string path_;
  MetaStoreOptions options_;
  Logger log_;

  std::mutex adding_;           // guards what follows; held only briefly
  std::deque<Ticket> waiting_;  // none of them is empty or written

  mutable std::mutex writing_;  // held while the disk is waited for; guards what follows
  std::unique_ptr<MetaFiles> files_;
  std::unique_ptr<MetaFiles::File> file_;  // null: it must be rewritten
  size_t file_bytes_ = 0;
  size_t most_file_bytes_ = 0;  // a larger file is rewritten
  MetaValues values_;
};

}  // namespace pegmove::server::meta
