#include "server/replica/compaction_runner.h"

namespace pegmove::server::replica {

void CompactionRunner::consider(std::shared_ptr<Replica> replica) {
  auto request = replica->queue_compaction();
  if (!request) return;
  // Weak: a waiting compaction does not keep the database open.
  pool_.post([this, held = std::weak_ptr(replica), request = *request] {
    auto replica = held.lock();
    if (!replica) return;
    if (running_.fetch_add(1) < request.most_running)
      replica->compact(request.how);
    else
      replica->unqueue_compaction();
    running_.fetch_sub(1);
  });
}

}  // namespace pegmove::server::replica
