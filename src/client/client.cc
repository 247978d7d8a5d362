#include "client/client.h"

namespace pegmove::client {

Client::Client(asio::any_io_executor executor, Clock& clock)
    : clock_(clock), connector_(clock), rpc_(executor, connector_, clock), lookups_(1) {}

Task<std::vector<net::Address>> Client::resolve(net::HostPort host_port) {
  if (auto ipv4 = net::parse_ipv4(host_port.host))
    co_return std::vector{net::Address{*ipv4, host_port.port}};
  auto key = host_port.to_string();
  if (auto known = resolved_.find(key); known != resolved_.end()) co_return known->second;
  auto addresses = CO_TRY(co_await lookups_.run(
      [host_port]() -> Result<std::vector<net::Address>> { return net::look_up(host_port); }));
  resolved_[key] = addresses;
  co_return addresses;
}

Task<net::HttpResponse> Client::http_get(net::HostPort node, std::string target,
                                         Deadline deadline) {
  auto addresses = CO_TRY(co_await resolve(std::move(node)));
  co_return co_await net::http_get(connector_, clock_, addresses.front(), std::move(target),
                                   deadline);
}

Routine<> Client::close() {
  rpc_.stop();
  co_await rpc_.join();  // no result
}

}  // namespace pegmove::client
