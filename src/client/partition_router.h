// Finds the server of a partition, and is the only layer that retries data requests. Each error is
// handled as in Pegasus's C++ client (src/client/partition_resolver.cpp).
#pragma once

#include <set>

#include "async/stop_signal.h"
#include "client/cluster.h"

namespace pegmove::client {

// The target of a data request.
struct Target {
  int32_t partition_index = 0;
  uint64_t partition_hash = 0;  // of the key; full scans send the index
  // Of one key: another partition count gives it another index.
  bool is_of_key = false;
};

// Whether a request may be sent again although it may have been carried out. A request that was
// refused or never sent is always sent again.
enum class Repeat { kAllowed, kForbidden };

// How ERR_BUSY (a throttle) and ERR_SPLITTING are handled. Pegasus's clients fail at once; work on
// a whole table waits.
enum class OnBusy { kTryAgain, kFail };

// All on the client's executor.
class PartitionRouter {
 public:
  // Asks the cluster for the table's partitions. Errors: kNotFound, and those of the meta call.
  static Task<std::shared_ptr<PartitionRouter>> open(std::shared_ptr<Cluster> cluster,
                                                     std::string table, Deadline deadline);

  const std::string& table() const { return table_; }
  Cluster& cluster() { return *cluster_; }
  const std::shared_ptr<Cluster>& shared_cluster() const { return cluster_; }
  int32_t app_id() const { return app_id_; }
  int32_t partition_count() const { return int32_t(primaries_.size()); }
  Target target_of(uint64_t hash) const;

  // Whether scans of all partitions return the table: fails while it is split, as far as the
  // cluster has said, and when its partition count is no longer `count`. Errors: kRefused.
  Result<void> check_not_split(int32_t count) const;
  // The same, after asking the cluster. At the end of a read of the whole table: a split that went
  // on meanwhile has moved rows. Errors: also those of the meta call. May be repeated.
  Task<> check_still_whole(int32_t count, Deadline deadline);

  // How often the table has moved to another cluster: behind a MetaProxy a table with another app
  // id on other servers was not dropped, but moved, perhaps to another partition count. (An app id
  // that changes on the same servers, or without a MetaProxy, means a table that was dropped and
  // created again.) Contexts of scans that began before a move are void.
  int moves() const { return moves_; }

  // Sends the request until the answer is final, or the deadline passes: then the error contains
  // the last reason (kTimeout). After a move a request of one key goes to the key's partition on
  // the other cluster. Errors: kNotFound when the table was dropped, or dropped and created again;
  // kRefused when the table has moved to another partition count, and the request is not of one
  // key, or has moved at all, and it continues a scan; RPC-level errors; kInterrupted. With
  // Repeat::kForbidden also those of RpcChannel, saying that the outcome is not known.
  Task<net::IncomingReply> call(Target target, wire::RpcCode code, std::string body,
                                Deadline deadline, Repeat repeat = Repeat::kAllowed);

  // For senders that keep many requests in flight: the channel to the partition's primary if it is
  // known and not in doubt, nullptr otherwise. A request that fails on it goes to call().
  net::RpcChannel* primary_channel(int32_t partition_index);
  // A partition in requests: its table's id and its index.
  Gpid gpid(int32_t partition_index) const { return {app_id_, partition_index}; }

  void set_on_busy(OnBusy on_busy) { on_busy_ = on_busy; }
  // How long one attempt of a call may take before it is sent again; a call's deadline otherwise.
  // For calls with deadlines of minutes, which must not wait for a server that hangs.
  void set_attempt_timeout(async::milliseconds timeout) { attempt_timeout_ = timeout; }
  Deadline attempt_deadline(Deadline deadline) const {
    return deadline.earlier(Deadline::in(cluster_->client().clock(), attempt_timeout_));
  }

  // After this signal calls that would be tried again fail with kInterrupted. It must outlive the
  // router's calls.
  void set_stop(const async::StopSignal* stop) { stop_ = stop; }

  // What calls wait for now, after a failed attempt.
  struct Waits {
    int calls = 0;
    std::string reason;  // of the last failed attempt; names the partition
  };
  const Waits& waits() const { return waits_; }
  // How often the servers have reported that they are busy (ERR_BUSY), so far.
  int64_t busy_answers() const { return busy_answers_; }

  // True when the RPC-level error is one that call() would retry.
  static bool is_retryable(wire::ErrorCode error);

  PartitionRouter(std::shared_ptr<Cluster> cluster, std::string table)
      : cluster_(std::move(cluster)), table_(std::move(table)) {}

 private:
  class Waiting;
  Task<> refresh(Deadline deadline);
  Task<> look_again(int32_t partition_index, bool is_first, Deadline deadline);
  net::RpcChannel* channel_of(int32_t partition_index);
  Deadline refresh_deadline(Deadline deadline) const;
  struct Primary {
    net::HostPort name;
    net::Address address;     // port 0: not known, or no server serves the partition
    bool is_doubted = false;  // a call failed there, and the cluster was not asked since
  };
  Routine<std::map<std::string, net::Address>> look_up(const TableConfig& config,
                                                       Deadline deadline);
  Task<> take_over(TableConfig config, Deadline deadline);
  Result<bool> has_moved(const TableConfig& config, const std::set<std::string>& servers) const;
  // The request's present target, before and after the cluster was asked again.
  Result<Target> target_now(Target target, wire::RpcCode code, int moves_before,
                            int32_t count_before) const;
  // Reports that the channel may not lead to the partition's primary: before the next call the
  // cluster is asked, and the primary's name is looked up.
  void doubt(int32_t partition_index, const net::RpcChannel& channel);
  std::string place(int32_t partition_index) const;

  std::shared_ptr<Cluster> cluster_;
  std::string table_;
  OnBusy on_busy_ = OnBusy::kTryAgain;
  async::milliseconds attempt_timeout_ = std::chrono::hours(24);
  const async::StopSignal* stop_ = nullptr;
  Waits waits_;
  int64_t busy_answers_ = 0;
  int32_t app_id_ = 0;
  bool is_being_split_ = false;
  std::vector<Primary> primaries_;
  std::set<std::string> servers_;  // of the table, as the last config named them
  int moves_ = 0;
  bool refreshing_ = false;
  async::Event refreshed_;
};

}  // namespace pegmove::client
