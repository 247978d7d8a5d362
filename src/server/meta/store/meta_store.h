// The values of a meta server on its disk, in one file: `<folder>/meta_store`. What is committed is
// there after a kill and after a power cut, each batch whole or not at all.
//
// A commit appends one record to the file and waits for the disk once; batches that were added
// meanwhile share the next record. The first commit after a start, and one that finds the file much
// larger than its values, writes a new file beside it and gives that the name. So does the one
// after a failed write, since nobody knows what that has left.
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
  size_t growth = 1 << 20;  // bytes by which the file may grow before it is written anew
};

// Safe from any thread; one process a folder.
class MetaStore {
  struct Group;

 public:
  // Batches that are written together; shared by all whose batches are in it.
  using Ticket = std::shared_ptr<Group>;

  // `folder` must exist. Errors: kIo; kCorrupt, naming the file and the byte where it is wrong;
  // kUnsupported. A failed open changes nothing.
  static Result<std::unique_ptr<MetaStore>> open(const std::string& folder,
                                                 std::unique_ptr<MetaFiles> files,
                                                 MetaStoreOptions options = {});

  // Takes the batch along with the next commit; nothing waits. Batches reach the disk in the order
  // of these calls. Those that fail together with others are not tried again.
  Ticket add(MetaBatch batch);
  // Returns when that batch is on the disk. Blocks. Errors: kIo, kNotFound (the folder is gone): it
  // is not there, but may show after the end of the process if nothing is committed before;
  // kTooLarge for a batch of more than kMostRecordBytes.
  Result<void> flush(const Ticket& ticket);
  // Both. Also waits for what was added before.
  Result<void> commit(MetaBatch batch) { return flush(add(std::move(batch))); }

  // What is on the disk. Waits for a commit that is under way.
  MetaValues values() const;
  const std::string& path() const { return path_; }

 private:
  MetaStore(std::string path, std::unique_ptr<MetaFiles> files, MetaStoreOptions options,
            MetaValues values);
  Ticket next_group();
  Result<void> write(const Group& group);
  Result<void> append(const Group& group);
  Result<void> write_anew(const MetaBatch& batch);

  std::string path_;
  MetaStoreOptions options_;
  Logger log_;

  std::mutex adding_;           // guards what follows, for moments
  std::deque<Ticket> waiting_;  // none of them is empty, nor written

  mutable std::mutex writing_;  // held while the disk is waited for; guards what follows
  std::unique_ptr<MetaFiles> files_;
  std::unique_ptr<MetaFiles::File> file_;  // none: it must be written anew
  size_t file_bytes_ = 0;
  size_t most_file_bytes_ = 0;  // with more it is written anew
  MetaValues values_;
};

}  // namespace pegmove::server::meta
