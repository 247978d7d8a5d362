// The channels of a client: one per node, created on first use.
#pragma once

#include <memory>
#include <unordered_map>

#include "net/rpc_channel.h"

namespace pegmove::net {

// All on one executor. Order: ...; stop(); co_await join(); destroy.
class RpcClient {
 public:
  RpcClient(asio::any_io_executor executor, Connector& connector, Clock& clock,
            RpcChannelOptions options = {})
      : executor_(std::move(executor)), connector_(connector), clock_(clock), options_(options) {}

  // Exists until this client is destroyed.
  RpcChannel& channel(Address address);
  void stop();
  Routine<> join();

 private:
  asio::any_io_executor executor_;
  Connector& connector_;
  Clock& clock_;
  RpcChannelOptions options_;
  bool stopped_ = false;
  std::unordered_map<Address, std::unique_ptr<RpcChannel>> channels_;
};

}  // namespace pegmove::net
