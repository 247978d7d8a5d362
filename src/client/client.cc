#include "client/client.h"

namespace pegmove::client {

Client::Client(asio::any_io_executor executor, Clock& clock, ClientOptions options)
    : clock_(clock),
      connector_(clock, {.longest_unacknowledged = options.longest_unacknowledged}),
      rpc_(executor, connector_, clock,
           {.closes_after_timeout = options.longest_unacknowledged.count() > 0}),
      host_names_(executor, clock, std::move(options.look_up)) {}

Task<net::HttpResponse> Client::http_get(net::HostPort node, std::string target,
                                         Deadline deadline) {
  Error last(Code::kUnreachable, "");
  for (auto address : CO_TRY(co_await host_names_.resolve(node, deadline))) {
    auto response = co_await net::http_get(connector_, clock_, address, target, deadline);
    if (response || (response.error().code() != Code::kUnreachable &&
                     response.error().code() != Code::kTimeout))
      co_return response;
    host_names_.failed(node, address);
    last = std::move(response).error();
    if (deadline.passed(clock_)) break;
  }
  co_return fail(std::move(last));
}

Routine<> Client::close() {
  rpc_.stop();
  host_names_.stop();
  co_await rpc_.join();         // no result
  co_await host_names_.join();  // no result
}

}  // namespace pegmove::client
