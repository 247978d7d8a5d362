// Maps the name of a request to its handler: for every server.
#pragma once

#include <functional>
#include <unordered_map>

#include "net/rpc_server.h"
#include "wire/rpc_code.h"
#include "wire/thrift_codec.h"

namespace pegmove::service {

// Register everything first, then pass it to an RpcServer. Rules (Pegasus: rpc_engine and
// serverlet): a code without a handler, a data code without a partition and an administrative code
// with one are answered ERR_HANDLER_NOT_FOUND; a body that does not decode ERR_INVALID_PARAMETERS.
class Dispatcher : public net::CallHandler {
 public:
  using Handler = std::function<void(net::IncomingCall)>;

  void on(wire::RpcCode code, Handler handler);

  // Handlers of whole messages, answered at once: Response(const Request&, const RequestHead&).
  template <typename Request, typename Response>
  void on_message(wire::RpcCode code,
                  std::function<Response(const Request&, const wire::RequestHead&)> handler) {
    on(code, [handler = std::move(handler)](net::IncomingCall call) {
      auto request = wire::decode_body<Request>(call.body());
      if (!request) return call.reply(wire::ErrorCode::kInvalidParameters);
      call.reply(wire::ErrorCode::kOk, wire::encode_body(handler(*request, call.head())));
    });
  }

  void handle(net::IncomingCall call) override;

 private:
  std::unordered_map<wire::RpcCode, Handler> handlers_;
};

}  // namespace pegmove::service
