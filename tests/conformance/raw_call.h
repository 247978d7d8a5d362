// One request, below the client library: any values in its fields, any partition, any partition
// hash, any body.
#pragma once

#include <optional>

#include "arguments.h"
#include "session.h"
#include "wire/thrift_codec.h"

namespace pegmove::conformance {

// Arguments of every raw request:
//   at=h               the partition of this hash key instead of that of the request's key
//   partition_hash=5   in the header instead of the key's
//   gpid=table:1000    in the header; sent to the same server; gpid=0:0 likewise
//   body="\x0c"        instead of the request's
class RawCall {
 public:
  RawCall(const Session& session, Arguments& arguments);

  // Sends the request to the partition of the key and fills the response. An answer with an
  // RPC-level error leaves the response as it is. Errors: of the arguments; no answer.
  template <typename Response, typename Request>
  Result<Answer> exchange(wire::RpcCode code, const Request& request, const client::RowKey& key,
                          Response& response) {
    TRY(arguments_.check());
    auto target = TRY(target_of(key));
    auto reply = TRY(send(code, target, body_ ? *body_ : wire::encode_body(request)));
    if (reply.error != wire::ErrorCode::kOk)
      return Answer{.status = std::string(wire::error_name(reply.error))};
    response = TRY(wire::decode_body<Response>(reply.body.view));
    Answer answer{.status = std::to_string(response.error)};
    if (Gpid gpid{response.app_id, response.partition_index};
        gpid != session_.table->router().gpid(target.partition_index))
      answer.contradiction = "the answer comes from partition " + gpid.to_string();
    if (response.server.empty()) answer.contradiction = "the answer names no server";
    if constexpr (requires { response.decree; })
      if (response.error == 0 && response.decree <= 0)
        answer.contradiction = "the decree is " + std::to_string(response.decree);
    return answer;
  }

  // Sends what has no answer, and waits until it has surely arrived.
  Result<Answer> send_only(wire::RpcCode code, std::string body, const client::RowKey& key);

 private:
  Result<client::Target> target_of(const client::RowKey& key) const;
  Result<net::IncomingReply> send(wire::RpcCode code, client::Target target, std::string body);

  const Session& session_;
  Arguments& arguments_;
  std::optional<std::string> at_;
  std::optional<uint64_t> partition_hash_;
  std::optional<Gpid> gpid_;
  std::optional<std::string> body_;
};

}  // namespace pegmove::conformance
