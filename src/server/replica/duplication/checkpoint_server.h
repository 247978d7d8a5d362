// Answers other clusters that fetch the checkpoints of this node's partitions:
// RPC_QUERY_LAST_CHECKPOINT_INFO, RPC_NFS_GET_FILE_SIZE, RPC_NFS_COPY. Pegasus:
// src/replica/replica_chkpt.cpp, src/nfs/nfs_server_impl.cpp. Unlike there, no file outside of a
// kept checkpoint can be read, whatever a request says.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "async/pool.h"
#include "async/semaphore.h"
#include "async/task_group.h"
#include "blockstore/rate_limit.h"
#include "learn_types.h"
#include "metrics/registry.h"
#include "net/rpc_server.h"
#include "server/replica/duplication/kept_checkpoints.h"

namespace pegmove::server::replica {

// On the node's executor. Order: ...; the task group is stopped and joined; destroy.
class CheckpointServer {
 public:
  struct Options {
    // The decree of a partition's last write; nothing when the node does not serve it.
    std::function<std::optional<int64_t>(Gpid gpid)> last_decree;
    std::function<net::Address()> address;  // of the node
    // Bytes per second of what is sent; they outlive it.
    std::vector<blockstore::RateLimit*> limits;
    backup::FailpointListener on_failpoint = {};
  };
  // `server`: the node's entity of metrics. All outlive it.
  CheckpointServer(Options options, KeptCheckpoints& kept, async::TaskGroup& tasks,
                   metrics::Entity& server);

  // Each answers its call, some later. A request that does not decode: ERR_INVALID_PARAMETERS.
  //
  // The checkpoint's folder and files. Answers ERR_OBJECT_NOT_FOUND when the partition is not here,
  // ERR_PATH_NOT_FOUND when it has no checkpoint to fetch. MD5 sums only when they are asked for:
  // those of one answer after the other, a mebibyte at a time, so that blocks are sent meanwhile
  // and a stop is waited for no longer than that.
  void query(net::IncomingCall call);
  // Sizes of the files that are named, or of all. Answers ERR_OBJECT_NOT_FOUND when the folder is
  // not that of a kept checkpoint, ERR_FILE_OPERATION_FAILED when it has no such file.
  void get_sizes(net::IncomingCall call);
  // A block of a file, at most kMostBlockBytes. Answers ERR_OBJECT_NOT_FOUND when there is no such
  // checkpoint or file, ERR_HANDLE_EOF when the block is not wholly within it.
  void copy(net::IncomingCall call);

  static constexpr int32_t kMostBlockBytes = 16 << 20;  // real servers ask for 4 MiB

 private:
  Routine<> answer_query(net::IncomingCall call, wire::learn_request request);
  Task<std::vector<std::string>> md5_of_files(const KeptCheckpoint& checkpoint);
  Routine<> answer_copy(net::IncomingCall call, wire::copy_request request);
  wire::copy_response refuse(const wire::copy_request& request, wire::ErrorCode error);

  Options options_;
  KeptCheckpoints& kept_;
  async::TaskGroup& tasks_;
  metrics::Counter& sent_bytes_;
  metrics::Counter& failed_;
  async::Semaphore reads_;    // bounds the blocks in memory
  async::Semaphore sums_{1};  // answers whose MD5 sums are computed
  async::Pool pool_{2};       // the last member: its work may use the others
};

}  // namespace pegmove::server::replica
