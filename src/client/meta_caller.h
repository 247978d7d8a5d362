// Calls to the meta servers of a cluster: finds the leader, and keeps using it.
#pragma once

#include <optional>

#include "client/client.h"
#include "wire/thrift_codec.h"

namespace pegmove::client {

// The error of a refusal, with the server's hint if there is one: tools show it to users.
Error refused(wire::ErrorCode code, const std::string& what, const std::string& hint);
// The same for work that continues after a request (backups, restores, bulk loads), with more
// codes: kInvalidArgument, kCorrupt, and kRefused for a state that forbids it.
Error job_refused(wire::ErrorCode code, const std::string& what, const std::string& hint);

class MetaCaller {
 public:
  MetaCaller(Client& client, std::vector<net::HostPort> metas)
      : client_(client), metas_(std::move(metas)) {}

  // Sends the request to the leader until the deadline: when a meta server does not answer, or
  // forwards, the next one is tried (leader forwarding: Pegasus src/meta/meta_service.h). `err` is
  // the response's own error field: checked only for forwards. Errors: kUnreachable or kTimeout
  // when none answers, kUnauthenticated when they require SASL, the RPC-level error otherwise.
  template <typename Response, typename Request>
  Task<Response> call(wire::RpcCode code, Request request, Deadline deadline) {
    auto body = wire::encode_body(request);
    for (int attempt = 0;; ++attempt) {
      auto reply = CO_TRY(co_await call_leader(code, body, deadline));
      auto response = CO_TRY(wire::decode_body<Response>(reply.body.view));
      if (response.err.code != wire::ErrorCode::kForwardToOthers) co_return response;
      CO_TRY(co_await try_next(attempt, deadline));
    }
  }

  std::string description() const;  // "10.0.0.1:34601,10.0.0.2:34601"

 private:
  Task<net::IncomingReply> call_leader(wire::RpcCode code, std::string body, Deadline deadline);
  struct Meta {
    net::Address address;
    bool is_only;  // there is no other to try
  };
  Task<std::optional<net::IncomingReply>> call_one(Meta meta, wire::RpcCode code,
                                                   std::string_view body, Deadline deadline);
  Task<Meta> current_meta(Deadline deadline);
  Task<> try_next(int attempt, Deadline deadline);
  Task<bool> demands_authentication(net::Address meta);

  Client& client_;
  std::vector<net::HostPort> metas_;
  size_t current_ = 0;
  std::optional<net::Address> leader_;  // learned from a forward
  net::Address asked_{};                // the address of metas_[current_] that was asked last
  std::optional<Error> last_error_;
};

}  // namespace pegmove::client
