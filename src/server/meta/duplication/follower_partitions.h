// The target's side of full duplications: partitions of tables whose rows come from another cluster
// are fetched before they are opened for the first time. The app envs duplication.* of a table say
// so. Pegasus: replica::duplicate_checkpoint in src/replica/duplication/replica_follower.cpp.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "async/clock.h"
#include "async/task_group.h"
#include "backup/failpoints.h"
#include "base/log.h"
#include "duplication/checkpoint_request.h"
#include "server/meta/catalog/app_catalog.h"
#include "server/meta/node_port.h"

namespace pegmove::server::meta {

// Whether the table's rows come from another cluster: a partition without data must not be opened
// empty, whatever the state of the duplication.
bool is_follower(const wire::app_info& app);

// What to fetch. Errors: kInvalidArgument, naming the env.
Result<duplication::CheckpointRequest> checkpoint_request(const wire::app_info& app,
                                                          int32_t partition);

// All on the meta server's executor. Order: ...; stop(); co_await join(); destroy.
class FollowerPartitions {
 public:
  // Opens a partition on its node, whose data is there.
  using Open = std::function<Task<>(const AppRecord& app, int32_t partition)>;
  FollowerPartitions(asio::any_io_executor executor, const AppCatalog& catalog, NodePort& nodes,
                     Open open, backup::FailpointListener on_failpoint, Clock& clock, Logger log);

  // Fetches the partition and opens it, in the background. After a failure it tries again, with
  // pauses of 50 ms to 10 s, while the table is available and names a master; each new reason is
  // logged once. Does nothing for a partition that is being fetched. Real servers try again when
  // the meta server assigns the partition again.
  void fetch(Gpid gpid);
  // The table was dropped: what is under way ends soon.
  void table_dropped(int32_t app_id);
  // Whether partitions of the table are being fetched: their folders must stay.
  bool is_busy(int32_t app_id) const;

  // As JSON text: by partition, how far its copy is and why it failed last; of all tables or one.
  std::string status(int32_t app_id) const;

  void stop();
  Routine<> join();

 private:
  struct Fetched {
    std::shared_ptr<duplication::CheckpointProgress> progress =  // shared with the node
        std::make_shared<duplication::CheckpointProgress>();
    int attempts = 0;
    std::string error = {};  // of the last attempt
  };
  Routine<> fetch_loop(Gpid gpid);
  Task<> fetch_once(Gpid gpid, std::shared_ptr<duplication::CheckpointProgress> progress);
  bool is_wanted(Gpid gpid) const;

  const AppCatalog& catalog_;
  NodePort& nodes_;
  Open open_;
  backup::FailpointListener on_failpoint_;
  Clock& clock_;
  Logger log_;
  std::map<Gpid, Fetched> fetched_;  // being fetched
  async::TaskGroup tasks_;
};

}  // namespace pegmove::server::meta
