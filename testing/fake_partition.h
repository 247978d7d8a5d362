// A table, mostly of one partition, whose servers the test controls: a meta server, and a node that
// can move to another address. Both answer every code; the node also says its time over HTTP, when
// it has a clock.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "meta_types.h"
#include "net/rpc_server.h"
#include "net/tcp.h"
#include "wire/row_messages.h"
#include "wire/thrift_codec.h"

namespace pegmove::testing {

inline constexpr uint32_t kLoopback = 0x7f000001;

// All on the executor. Call stop() before it is destroyed.
class FakePartition : public net::CallHandler, public net::HttpHandler {
 public:
  FakePartition(asio::any_io_executor executor, Clock& clock)
      : executor_(std::move(executor)), clock_(clock) {
    meta_ = listen({kLoopback, 0});
    node_ = listen({kLoopback, 0});
  }

  // The node's host name in answers of the meta server; "": only its first address is given.
  std::string node_name = {};
  // Data requests.
  std::function<void(net::IncomingCall)> on_data = [](net::IncomingCall call) {
    acknowledge(call);
  };
  int config_queries = 0;
  // The node's clock; empty: its port does not speak HTTP. Set it before move_node().
  std::function<int64_t()> unix_us = {};
  int clock_queries = 0;
  // Of the table: 1, or 2 after a split, or while it is being split.
  int partitions = 1;
  bool is_being_split = false;
  // Called with each list of the cluster's servers, of which the node is one.
  std::function<void(wire::configuration_list_nodes_response&)> on_nodes = [](auto&) {};

  net::Address meta_address() const { return meta_->local(); }
  net::Address node_address() const { return node_->local(); }

  // The node closes its connections and listens there, on the same port.
  Routine<bool> move_node(uint32_t ipv4) {
    auto address = node_->local();
    node_->stop();
    co_await node_->join();  // no result
    address.ipv4 = ipv4;
    node_ = listen(address);
    co_return true;
  }
  Routine<bool> stop() {
    for (auto* server : {meta_.get(), node_.get()}) {
      server->stop();
      co_await server->join();  // no result
    }
    co_return true;
  }

  void handle(net::IncomingHttp http) override {
    ++clock_queries;
    const auto now = std::to_string(unix_us ? unix_us() * 1000 : 0);
    http.reply({.status = unix_us ? 200 : 404, .body = "{\"timestamp_ns\":" + now + "}"});
  }

  static void acknowledge(net::IncomingCall& call) {
    std::string body;
    wire::append_update_reply(body, {.app_id = 7, .server = "node:1"});
    call.reply(wire::ErrorCode::kOk, body);
  }

  void handle(net::IncomingCall call) override {
    switch (wire::rpc_code_from_name(call.head().name)) {
      case wire::RpcCode::kQueryConfig: return answer_config(call);
      case wire::RpcCode::kListNodes: return answer_nodes(call);
      case wire::RpcCode::kClusterInfo:
        return call.reply(wire::ErrorCode::kOk,
                          wire::encode_body(wire::configuration_cluster_info_response()));
      case wire::RpcCode::kCliCall: {
        std::string body;
        wire::append_string_body(body, "done", 0);
        return call.reply(wire::ErrorCode::kOk, body);
      }
      default: on_data(std::move(call));
    }
  }

 private:
  std::unique_ptr<net::RpcServer> listen(net::Address address) {
    auto acceptor = net::listen_tcp(executor_, address);
    if (!acceptor) throw std::runtime_error(acceptor.error().to_string());
    auto server = std::make_unique<net::RpcServer>(executor_, std::move(*acceptor), *this, clock_,
                                                   Logger("test"), net::RpcServerLimits(),
                                                   unix_us ? this : nullptr);
    server->start();
    return server;
  }

  void answer_nodes(net::IncomingCall& call) {
    const auto node = node_->local();
    wire::configuration_list_nodes_response response;
    auto& info = response.infos.emplace_back();
    info.status = wire::NS_ALIVE;
    info.node = wire::rpc_address::of(node.ipv4, node.port);
    if (!node_name.empty()) info.__set_hp_node(wire::host_port::of(node_name, node.port));
    on_nodes(response);
    call.reply(wire::ErrorCode::kOk, wire::encode_body(response));
  }

  void answer_config(net::IncomingCall& call) {
    ++config_queries;
    const auto node = node_->local();
    wire::query_cfg_response response;
    response.app_id = 7;
    response.partition_count = partitions;
    for (int index = 0; index < partitions; ++index) {
      auto& partition = response.partitions.emplace_back();
      partition.ballot = is_being_split && index > 0 ? -1 : 1;
      if (partition.ballot < 0) continue;  // and has no primary
      if (node_name.empty())
        partition.primary = wire::rpc_address::of(node.ipv4, node.port);
      else
        partition.__set_hp_primary(wire::host_port::of(node_name, node.port));
    }
    call.reply(wire::ErrorCode::kOk, wire::encode_body(response));
  }

  asio::any_io_executor executor_;
  Clock& clock_;
  std::unique_ptr<net::RpcServer> meta_, node_;
};

}  // namespace pegmove::testing
