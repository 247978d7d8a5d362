// The table of a cluster, as a relay's target.
#pragma once

#include "base/log.h"
#include "relay/shipped_request.h"
#include "relay/target.h"
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
};

// Of the client of a ClusterTarget: bytes of a forward end with its time.
inline client::ClientOptions target_client_options() {
  return {.longest_unacknowledged = kLongestForward};
}

// All on the client's executor. With kDuplicate entries wait until the clocks of the servers that
// carry them out have passed their times: real servers abort otherwise. Requests that the servers
// refuse as too large are cut. Order: start(); ...; stop(); co_await join(); destroy.
class ClusterTarget : public Target {
 public:
  ClusterTarget(asio::any_io_executor executor, client::Client& client,
                ClusterTargetOptions options, Logger log);

  void start() { tasks_.spawn(clocks_.watch(tasks_)); }
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
  Task<> wait_for_clocks(const shipping::TargetPartition& partition, int64_t unix_us,
                         const MaySend& may_send);
  // One request. The error says also what the server has refused; is_in_doubt as in Sent.
  Routine<Sent> call(const shipping::TargetPartition& partition, wire::RpcCode code, uint64_t hash,
                     std::string_view body, const MaySend& may_send);
  Sent judge(const shipping::TargetPartition& partition, wire::RpcCode code,
             const Result<net::IncomingReply>& reply, bool was_sent);

  client::Client& client_;
  const ClusterTargetOptions options_;
  Logger log_;
  size_t most_request_bytes_;
  shipping::TargetTable table_;
  shipping::ServerClocks clocks_;
  async::TaskGroup tasks_;
};

}  // namespace pegmove::relay
