// What a node does for duplications: it keeps the logs of its partitions, and ships them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "async/pool.h"
#include "async/semaphore.h"
#include "server/replica/duplication/shipper.h"
#include "server/replica/replica.h"

namespace pegmove::server::replica {

struct DuplicationRunnerOptions {
  uint8_t cluster_id = 0;  // of this cluster in its [duplication-group]; 0: none
  std::function<void(std::string_view point)> on_failpoint = {};  // shipping_failpoints.h
  // The replica of a partition that the node serves; else null. From any thread.
  std::function<std::shared_ptr<Replica>(Gpid)> find;
};

// One duplication of one partition, as it is now.
struct DuplicationState {
  duplication::Assignment assignment;
  duplication::Progress progress;
};

// All on the executor, except where it says so. Order: ...; stop(); co_await join(); destroy.
class DuplicationRunner {
 public:
  DuplicationRunner(DuplicationRunnerOptions options, asio::any_io_executor executor,
                    async::Pool& pool, Clock& clock, Logger log);
  ~DuplicationRunner();

  // From now on the partition's log is kept, until duplicate() with no assignments. Returns the
  // decree behind which all later writes of clients are in it. Errors: kNotFound when the partition
  // is not served here; of its files. Repeatable: a log that is kept stays.
  Task<int64_t> keep_log(Gpid gpid);
  // From any thread; does not wait. These are all duplications of the partition: others end, new
  // ones begin, and what all have confirmed is dropped from the log; without any the log is
  // dropped. What fails is tried again, with pauses of 50 ms to 10 s, until it succeeds or another
  // change comes. Repeatable. A partition that is not open now is shipped when it is.
  void duplicate(Gpid gpid, std::vector<duplication::Assignment> assignments);

  // From any thread. By id.
  std::vector<DuplicationState> duplications(Gpid gpid) const;

  // Requests to other clusters are not waited for.
  void stop();
  Routine<> join();

 private:
  struct Partition;
  class PartitionLog;
  struct Remote;

  std::shared_ptr<Partition> partition_of(Gpid gpid);
  Routine<> apply(Gpid gpid, std::vector<duplication::Assignment> assignments);
  Task<> apply_once(std::shared_ptr<Partition> partition,
                    std::vector<duplication::Assignment> assignments);
  Routine<> end_others(Partition& partition,
                       const std::vector<duplication::Assignment>& assignments);
  void start_or_update(const std::shared_ptr<Partition>& partition,
                       const duplication::Assignment& assignment);
  Task<> drop_log(Partition& partition);
  Task<> trim_log(Partition& partition, int64_t upto);
  Remote& remote();
  std::shared_ptr<shipping::TargetTable> table_of(const duplication::Assignment& assignment);

  const DuplicationRunnerOptions options_;
  asio::any_io_executor executor_;
  async::Pool& pool_;
  Clock& clock_;
  Logger log_;
  std::unique_ptr<Remote> remote_;  // made with the first duplication
  async::TaskGroup tasks_;
  mutable std::mutex mutex_;  // guards the map, and the shippers of each partition
  std::map<Gpid, std::shared_ptr<Partition>> partitions_;  // shared with wake-ups from write paths
};

}  // namespace pegmove::server::replica
