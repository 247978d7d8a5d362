#include "net/rpc_client.h"

namespace pegmove::net {

RpcChannel& RpcClient::channel(Address address) {
  auto& channel = channels_[address];
  if (!channel) {
    channel = std::make_unique<RpcChannel>(executor_, connector_, clock_, address, options_);
    if (stopped_) channel->stop();
  }
  return *channel;
}

void RpcClient::stop() {
  stopped_ = true;
  for (auto& [address, channel] : channels_) channel->stop();
}

Routine<> RpcClient::join() {
  for (auto& [address, channel] : channels_) co_await channel->join();  // no result
}

}  // namespace pegmove::net
