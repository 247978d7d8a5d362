// The table of a cluster, as a relay's target.
#pragma once

#include "base/log.h"
#include "relay/shipped_request.h"
#include "relay/target.h"
#include "relay/target_servers.h"
#include "shipping/server_clocks.h"
#include "shipping/target_table.h"

namespace pegmove::relay {

struct ClusterTargetOptions {
  std::string cluster;  // for people
  std::vector<net::HostPort> metas;
  std::string table;
  int32_t app_id = 0;  // of the table that was there at the beginning: nothing is sent to another
  WriteMethod method = WriteMethod::kDuplicate;
  size_t most_request_bytes = 768 << 10;  // below max_allowed_write_size, by default 1 MiB
  ServerCheck check_server{};             // with kDuplicate, before the first one; empty: none
};

// Of the client of a ClusterTarget: bytes of a forward end with its time.
inline client::ClientOptions target_client_options() {
  return {.longest_unacknowledged = kLongestForward};
}

// All on the client's executor. With kDuplicate entries wait until all replica servers of the
// cluster were checked, and their clocks have passed the entries' times: real servers abort
// otherwise, also one that begins to learn a partition. Every few seconds the cluster is asked for
// the table's partitions and for its servers. Requests that are refused as too large are cut.
//
// A server that was stopped has read requests of connections that were reset meanwhile, and carries
// them out when it runs again, maybe after what came on a new connection. So after a request
// without an answer the next answer of that server ends a send() only a second later: nothing that
// follows is overtaken.
//
// Order: start(); ...; stop(); co_await join(); destroy.
class ClusterTarget : public Target {
 public:
  ClusterTarget(asio::any_io_executor executor, client::Client& client,
                ClusterTargetOptions options, Logger log);

  void start();
  void stop() { tasks_.stop(); }
  Routine<> join() { co_await tasks_.join(); }  // no result

  Task<int32_t> partition_count() override { return table_.partition_count(); }
  Routine<Sent> send(Group group, MaySend may_send) override;

 private:
  Routine<Sent> send_batch(Group batch, const MaySend& may_send);
  Routine<Sent> duplicate(shipping::TargetPartition partition, Group batch,
                          const MaySend& may_send);
  Routine<Sent> write_each(shipping::TargetPartition partition, Group batch,
                           const MaySend& may_send);
  Routine<> watch();
  Task<> wait_for_servers(const shipping::TargetPartition& partition, int64_t unix_us,
                          const MaySend& may_send);
  Task<std::chrono::microseconds> longest_wait(const shipping::TargetPartition& partition,
                                               int64_t unix_us);
  // One request. The error says also what the server has refused; is_in_doubt as in Sent.
  Routine<Sent> call(const shipping::TargetPartition& partition, wire::RpcCode code, uint64_t hash,
                     std::string_view body, const MaySend& may_send);
  Routine<> rest_after_loss(net::Address server);
  Sent judge(const shipping::TargetPartition& partition, wire::RpcCode code,
             const Result<net::IncomingReply>& reply, bool was_sent);

  client::Client& client_;
  const ClusterTargetOptions options_;
  Logger log_;
  shipping::TargetTable table_;
  TargetServers servers_;
  shipping::ServerClocks clocks_;
  std::map<net::Address, int64_t>
      lost_;  // by server, the number of the last request without answer
  int64_t last_lost_ = 0;
  async::TaskGroup tasks_;
};

}  // namespace pegmove::relay
