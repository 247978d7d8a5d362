// A MetaProxy: clients ask it, as if it were a meta server, where the partitions of a table are; it
// asks the meta servers of the cluster that ZooKeeper names for the table, and passes their answer
// on, byte for byte. Data requests go from the clients to the replica servers. Pegasus:
// pegasus-kv/meta-proxy; docs/metaproxy.md lists what is different here.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "metaproxy/meta_asker.h"
#include "metaproxy/proxy_metrics.h"
#include "metaproxy/route_table.h"
#include "net/rpc_server.h"
#include "service/http_router.h"

namespace pegmove::metaproxy {

struct MetaProxyOptions {
  net::Address listen{};
  RouteTableOptions routes{};
  MetaAskerOptions metas{};
  // The tables that are served; empty: all.
  std::set<std::string> tables{};
  std::map<std::string, std::string> labels{};  // of all metrics
  // A client gets an answer within this time, or four fifths of its own time limit if that is less.
  async::milliseconds answer_time{5'000};
};

// All on one executor. Answers RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX in every framing, and HTTP on
// the same port: /routes (JSON), /metrics (Prometheus). Any other RPC gets ERR_HANDLER_NOT_FOUND.
// Order: construct; start(); ...; stop(); co_await join(); destroy. `nodes` is listened to by
// routes(); it must outlive join().
class MetaProxy : public net::CallHandler {
 public:
  // Errors: those of listen_tcp(); the proxy listens, and answers after start().
  static Result<std::unique_ptr<MetaProxy>> listen(asio::any_io_executor executor, Clock& clock,
                                                   routes::Nodes& nodes, MetaProxyOptions options,
                                                   Logger log,
                                                   net::HostNames::LookUp look_up = net::look_up);
  ~MetaProxy() override;

  void start();
  void stop();
  Routine<> join();

  RouteTable& routes() { return *routes_; }
  net::Address address() const { return server_->local(); }

  void handle(net::IncomingCall call) override;

 private:
  MetaProxy(asio::any_io_executor executor, Clock& clock, routes::Nodes& nodes,
            MetaProxyOptions options, Logger log, net::HostNames::LookUp look_up,
            std::unique_ptr<net::Acceptor> acceptor);
  Routine<> answer(net::IncomingCall call, std::string table);
  void refuse(net::IncomingCall& call, const std::string& table, wire::ErrorCode error,
              const std::string& why);
  Deadline deadline_of(const net::IncomingCall& call) const;
  void add_http();
  std::string routes_json() const;

  Clock& clock_;
  routes::Nodes& nodes_;
  MetaProxyOptions options_;
  Logger log_;
  ProxyMetrics metrics_;
  std::unique_ptr<RouteTable> routes_;
  std::unique_ptr<net::Connector> connector_;
  std::unique_ptr<MetaAsker> metas_;
  service::HttpRouter http_;
  std::unique_ptr<net::RpcServer> server_;
  async::Instant last_warning_{};
  int64_t unlogged_ = 0;
  async::TaskGroup tasks_;
};

}  // namespace pegmove::metaproxy
