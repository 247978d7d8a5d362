// A relay: to a source cluster it is a cluster whose table has the source's partition count. What
// the source ships to it, it carries out on a table with another count, and answers when that is
// done; it keeps nothing. So the source's confirmed decrees mean the real target. Several relays of
// one duplication share the work: see ownership.h. docs/relay.md describes it.
//
//   source -> QUERY_CONFIG -> the owners of its partitions, epochs as ballots
//          -> DUPLICATE    -> Lane (one for each source partition) -> Target
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "meta_types.h"
#include "net/rpc_server.h"
#include "relay/lane.h"
#include "relay/ownership.h"
#include "service/dispatcher.h"
#include "service/operations.h"

namespace pegmove::relay {

// A source repeats within this time what was put off. Seen: each second.
inline constexpr async::milliseconds kSourceRepeats{1'500};

struct RelayOptions {
  net::Address listen{};
  // Where sources and other relays reach it; port 0: that of `listen`.
  net::HostPort address{};
  std::string source;  // the cluster's name
  std::string table;
  int32_t app_id = 1;  // of the source's table; answered to the source, and in its requests
  int32_t partitions = 0;
  std::string target;  // the cluster's name
  std::string target_table;
  int32_t target_app_id = 0;
  std::string root;  // of relays in ZooKeeper, as routes::check_root() returns it
  WriteMethod method = WriteMethod::kDuplicate;
  // Asks the source for its table's partition count, again and again; empty: nobody does. Another
  // one than `partitions` is a problem that is shown, and nothing is lost by it.
  std::function<Task<int32_t>()> count_source_partitions{};
};

// All on one executor. Answers RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX and RPC_CM_CREATE_APP for the
// table, by the source's name of it and by the target's, and DUPLICATE; HTTP on the same port:
// /relay (JSON), /metrics and /metrics/prometheus. No request is answered with a storage error:
// real sources abort on status 4, so whatever cannot be carried out is put off (ERR_BUSY), and
// counted. Order: listen(); start(); ...; co_await end(); destroy. `nodes` is listened to by
// ownership(); its session must end after end().
class Relay {
 public:
  // Errors: those of listen_tcp(), and of relay_folder().
  static Result<std::unique_ptr<Relay>> listen(asio::any_io_executor executor, Clock& clock,
                                               routes::SessionNodes& nodes, Target& target,
                                               RelayOptions options, Logger log);
  ~Relay();

  void start();
  // Answers everything that is open with ERR_BUSY, and waits until what is under way has ended (at
  // most kLongestForward). A source whose connection is closed under a request would wait for 100
  // s. So from the beginning whoever repeats a request hears that this relay owns nothing, and who
  // asks for the owner that there is none: when all have had the time to (kSourceRepeats) nothing
  // more comes, and the connections are closed.
  Routine<> end();

  Ownership& ownership() { return *ownership_; }
  net::Address address() const { return server_->local(); }

 private:
  Relay(asio::any_io_executor executor, Clock& clock, routes::SessionNodes& nodes, Target& target,
        RelayOptions options, std::string folder, Logger log,
        std::unique_ptr<net::Acceptor> acceptor);
  void add_lanes();
  void add_handlers();
  wire::query_cfg_response config(const wire::query_cfg_request& request,
                                  const wire::RequestHead& head) const;
  wire::configuration_create_app_response create(
      const wire::configuration_create_app_request& request);
  void duplicate(net::IncomingCall call);
  void refuse(net::IncomingCall& call, const Error& error);
  void answer(net::IncomingCall& call, wire::ErrorCode code);
  bool is_ours(const std::string& table) const;
  Routine<> watch_source();
  void take_source_count(int32_t count);
  std::string problem() const;
  void refresh_metrics();
  std::string status_json() const;

  Clock& clock_;
  routes::SessionNodes& nodes_;
  RelayOptions options_;
  Logger log_;
  async::TaskGroup tasks_;
  service::Operations operations_;
  std::shared_ptr<metrics::Entity> entity_;  // shared with the registry
  RelayMetrics metrics_;
  std::unique_ptr<Ownership> ownership_;
  Forwarding forwarding_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // by source partition
  std::string malformed_;                     // the last request that can never be forwarded
  std::string source_problem_;
  bool is_ending_ = false;
  // When a source had an answer after which it sends the next request here.
  async::Instant last_taken_ = async::Instant::min();
  service::Dispatcher dispatcher_;
  std::unique_ptr<net::RpcServer> server_;
};

}  // namespace pegmove::relay
