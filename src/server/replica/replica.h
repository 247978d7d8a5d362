// One partition that this node serves: its database, its write path, its reads.
#pragma once

#include <map>
#include <memory>

#include "server/replica/scan_contexts.h"
#include "server/replica/write_path.h"

namespace pegmove::server::replica {

struct ReplicaOptions {
  Gpid gpid;
  std::string server;  // "host:port" of this node
  store::PartitionOptions db;
  size_t max_request_size = 1 << 20;
};

// What reads of a request need to know of the replica; see read_operations.h.
struct ReadContext {
  const store::PartitionDb& db;
  Gpid gpid;
  std::string_view server;
  uint32_t now;  // seconds since 2016
};

// read() and write() from any thread; both answer later, from a thread of the pool. Held by
// shared_ptr: work on the pool keeps its replica alive while the node has let go of it.
class Replica : public std::enable_shared_from_this<Replica> {
 public:
  // Opens the partition's database (blocks). Errors: those of store::PartitionDb::open.
  static Result<std::shared_ptr<Replica>> open(ReplicaOptions options, async::Pool& pool,
                                               Clock& clock, Logger log);
  ~Replica();

  void read(wire::RpcCode code, net::IncomingCall call);
  void write(wire::RpcCode code, net::IncomingCall call) { writes_.submit(code, std::move(call)); }

  // The table envs that act on a partition; others are left alone.
  void apply_envs(const std::map<std::string, std::string>& envs);
  void drop_idle_scans() { scans_.drop_idle(); }
  // Refuses writes from now on and waits for those under way (blocks).
  void close();

  const store::PartitionDb& db() const { return *db_; }
  int64_t last_decree() const { return writes_.last_decree(); }

 private:
  Replica(ReplicaOptions options, std::unique_ptr<store::PartitionDb> db, async::Pool& pool,
          Clock& clock, Logger log);
  void answer_read(wire::RpcCode code, net::IncomingCall& call);

  ReplicaOptions options_;
  std::unique_ptr<store::PartitionDb> db_;
  async::Pool& pool_;
  Clock& clock_;
  Logger log_;
  ScanContexts scans_;
  WritePath writes_;
};

}  // namespace pegmove::server::replica
