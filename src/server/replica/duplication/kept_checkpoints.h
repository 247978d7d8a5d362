// The checkpoints of a node's partitions that other clusters may fetch: at most one of a partition,
// while a full duplication of its table (`add_dup -s`) is being prepared.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "async/pool.h"
#include "backup/failpoints.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/result.h"

namespace pegmove::server::replica {

// The files do not change while it is kept.
struct KeptCheckpoint {
  struct File {
    std::string name;
    int64_t size = 0;
  };

  std::string folder;  // absolute: <partition>/data/checkpoint.<decree>, as in Pegasus
  int64_t decree = 0;
  std::vector<File> files;  // MANIFEST, OPTIONS, CURRENT, then the table files by name

  const File* find(std::string_view name) const;
  std::string path_of(const File& file) const { return folder + "/" + file.name; }
};
// Shared with the answers that are under way: they end with an error when it is removed.
using KeptCheckpointPtr = std::shared_ptr<const KeptCheckpoint>;

// From any thread, except that make() is for coroutines. Its own thread does all that touches the
// disk, one after the other. Order: ...; destroy.
class KeptCheckpoints {
 public:
  KeptCheckpoints(Logger log, backup::FailpointListener on_failpoint)
      : log_(std::move(log)), on_failpoint_(std::move(on_failpoint)) {}

  // Makes a checkpoint in `data_dir`, the partition's folder "data", with `take`, which makes it at
  // a path and returns its decree; an earlier one is removed then. On disk when it returns its
  // decree. Errors: those of `take`; kIo. May be repeated.
  using Take = std::move_only_function<Result<int64_t>(const std::string& path)>;
  Task<int64_t> make(Gpid gpid, std::string data_dir, Take take);
  // When a partition is opened (blocks): keeps the checkpoint that an earlier process made, and
  // removes what a killed one left. Errors: kIo.
  Result<void> find_left(Gpid gpid, const std::string& data_dir);
  // No duplication needs the partition's checkpoint any more: it is removed soon. Cheap when there
  // is none.
  void remove(Gpid gpid);
  // Forgets it; its files stay.
  void forget(Gpid gpid);

  // Null: there is none.
  KeptCheckpointPtr of(Gpid gpid) const;
  // The one with exactly this folder. Null: there is none.
  KeptCheckpointPtr at(std::string_view folder) const;

 private:
  Result<int64_t> make_now(Gpid gpid, const std::string& data_dir, Take take);
  KeptCheckpointPtr replace(Gpid gpid, KeptCheckpointPtr checkpoint);
  void delete_files(const KeptCheckpoint& checkpoint) const;
  void failpoint(std::string_view name) const {
    if (on_failpoint_) on_failpoint_(name);
  }

  Logger log_;
  backup::FailpointListener on_failpoint_;
  std::atomic<int> making_ = 0;  // calls of make()
  mutable std::mutex mutex_;     // guards kept_
  std::map<Gpid, KeptCheckpointPtr> kept_;
  async::Pool pool_{1};  // destroyed first: its work uses the others
};

}  // namespace pegmove::server::replica
