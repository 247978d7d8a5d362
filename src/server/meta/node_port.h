// What the meta server calls on the nodes.
#pragma once

#include <memory>
#include <vector>

#include "async/task.h"
#include "backup/node_requests.h"
#include "bulkload/node_requests.h"
#include "duplication/checkpoint_request.h"
#include "duplication/node_requests.h"
#include "meta_types.h"
#include "meta_view/node_address.h"
#include "wire/compaction_status.h"

namespace pegmove::server::meta {

// host() and release() may block; they run on a pool. The rest is called on the meta server's
// executor.
class NodePort {
 public:
  virtual ~NodePort() = default;
  virtual std::vector<meta_view::NodeAddress> addresses() const = 0;
  // Serves the partition, creating it if it is new and that is allowed. Errors: of its files.
  virtual Result<void> host(int node, const wire::app_info& app, int32_t partition_index,
                            bool may_be_new) = 0;
  virtual Result<void> release(int node, Gpid gpid, bool delete_files) = 0;
  virtual bool serves(int node, Gpid gpid) const = 0;
  // From now on exactly these nodes, and not `node` itself, answer as secondaries of the partition
  // that `node` serves; none when it does not serve it. Repeatable.
  virtual void set_secondaries(int node, const wire::app_info& app, int32_t partition_index,
                               const std::vector<int32_t>& secondaries) = 0;
  // Sends the table's current name and app envs to all nodes.
  virtual void apply_envs(const wire::app_info& app) = 0;
  // kIdle when the node does not serve the partition.
  virtual wire::CompactionStatus compaction_status(int node, Gpid gpid) const = 0;

  // Uploads a partition to a block store; returns its checkpoint's bytes. Errors: kNotFound when
  // the node does not serve it; kInterrupted when it was cancelled or backups are stopped; the
  // store's.
  virtual Task<int64_t> back_up(int node, backup::BackupRequest request,
                                std::shared_ptr<backup::PartitionProgress> progress) = 0;
  // Downloads the files of a partition, before it is hosted. Errors: kNotFound and kCorrupt when
  // the backup is damaged; kInterrupted; the store's.
  virtual Task<> restore(int node, backup::RestoreRequest request,
                         std::shared_ptr<backup::PartitionProgress> progress) = 0;
  // The parts of a bulk load; see server/replica/load_runner.h. Errors: also kNotFound when the
  // node does not serve the partition.
  virtual Task<> download_load(int node, bulkload::LoadRequest request,
                               std::shared_ptr<bulkload::LoadProgress> progress) = 0;
  virtual Task<> ingest_load(int node, bulkload::LoadRequest request,
                             std::shared_ptr<bulkload::LoadProgress> progress) = 0;
  virtual Task<> clean_load(int node, Gpid gpid) = 0;

  // Duplications (server/meta/duplication/). From the answer on the partition keeps a log of what
  // its clients write, through restarts; returns the decree behind which the log begins.
  // Repeatable: a log that is kept stays as it is. Errors: kNotFound when the node does not serve
  // it; of its files.
  virtual Task<int64_t> keep_log(int node, Gpid gpid) = 0;
  // From now on the partition has exactly these duplications; none: its log is dropped, and
  // nothing of it is shipped any more, also when the node does not serve it now. Repeatable; does
  // not block.
  virtual void duplicate(int node, Gpid gpid, std::vector<duplication::Assignment> assignments) = 0;
  // Of each duplication, now; empty when the node does not serve it.
  virtual std::vector<duplication::Progress> duplication_progress(int node, Gpid gpid) const = 0;
  // Makes a checkpoint that followers may fetch; returns its decree. Errors: kNotFound when the
  // node does not serve it; of its files.
  virtual Task<int64_t> prepare_checkpoint(int node, Gpid gpid) = 0;
  // Fetches the rows of a new partition from another cluster, before it is hosted; see
  // server/replica/duplication/checkpoint_fetcher.h.
  virtual Task<> fetch_checkpoint(int node, duplication::CheckpointRequest request,
                                  std::shared_ptr<duplication::CheckpointProgress> progress) = 0;
  // Ends all transfers soon; they continue when they are requested again after a start.
  virtual void stop_transfers() = 0;
};

}  // namespace pegmove::server::meta
