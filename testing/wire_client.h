// Requests to one node, below the client library: any framing, any gpid, several at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/rpc_client.h"
#include "net/tcp.h"
#include "testing/test_cluster.h"
#include "wire/thrift_codec.h"

namespace pegmove::testing {

// One connection, run by the client's context. Must be destroyed before the client.
class WireClient {
 public:
  WireClient(TestClient& client, net::Address node, wire::Framing framing = wire::Framing::kRdsn)
      : client_(client),
        framing_(framing),
        connector_(client.clock()),
        rpc_(client.executor(), connector_, client.clock(), {.framing = framing}),
        channel_(rpc_.channel(node)) {}
  ~WireClient() { client_.run(close()); }

  // The body of a request in this client's framing.
  template <typename Request>
  std::string encode(const Request& request) const {
    return wire::encode_body(request, wire::request_field_id(framing_));
  }

  // RPC-level errors are in the reply.
  Result<net::IncomingReply> call_raw(wire::RpcCode code, Gpid gpid, std::string_view body,
                                      async::milliseconds timeout = std::chrono::seconds(20)) {
    return client_.run(channel_.call(outgoing(code, gpid, body, timeout)));
  }

  // The same, with a partition hash in the header.
  Task<net::IncomingReply> call_with_hash(wire::RpcCode code, Gpid gpid, std::string_view body,
                                          uint64_t partition_hash) {
    auto call = outgoing(code, gpid, body);
    call.partition_hash = partition_hash;
    return channel_.call(call);
  }

  // The same, marked as a backup request.
  Result<net::IncomingReply> call_as_backup(wire::RpcCode code, Gpid gpid, std::string_view body) {
    auto call = outgoing(code, gpid, body);
    call.is_backup_request = true;
    return client_.run(channel_.call(call));
  }

  // Throws std::runtime_error unless the call succeeds.
  template <typename Response, typename Request>
  Response call(wire::RpcCode code, Gpid gpid, const Request& request) {
    auto reply = client_.must(channel_.call(outgoing(code, gpid, encode(request))));
    return decode<Response>(reply);
  }

  // All of them in flight at once; the answers in the order of arrival.
  template <typename Response>
  std::vector<Response> call_all(wire::RpcCode code, Gpid gpid,
                                 const std::vector<std::string>& bodies) {
    std::vector<Response> responses;
    client_.run(start_all(code, gpid, bodies, [&](const net::IncomingReply& reply) {
      responses.push_back(decode<Response>(reply));
    }));
    return responses;
  }

  // Sends without waiting for an answer; `done` runs when some later call of this client does.
  void start(wire::RpcCode code, Gpid gpid, std::string_view body, net::RpcChannel::Completion done,
             bool is_backup_request = false) {
    auto call = outgoing(code, gpid, body);
    call.is_backup_request = is_backup_request;
    channel_.start(call, std::move(done));
  }

  template <typename Response>
  static Response decode(const net::IncomingReply& reply) {
    if (reply.error != wire::ErrorCode::kOk)
      throw std::runtime_error(std::string(wire::error_name(reply.error)));
    auto response = wire::decode_body<Response>(reply.body.view);
    if (!response) throw std::runtime_error(response.error().to_string());
    return *std::move(response);
  }

 private:
  net::OutgoingCall outgoing(wire::RpcCode code, Gpid gpid, std::string_view body,
                             async::milliseconds timeout = std::chrono::seconds(20)) {
    return {.code = code,
            .gpid = gpid,
            .body = body,
            .deadline = Deadline::in(client_.clock(), timeout)};
  }

  template <typename Done>
  Routine<bool> start_all(wire::RpcCode code, Gpid gpid, const std::vector<std::string>& bodies,
                          Done done) {
    size_t left = bodies.size();
    async::Event all_done;
    for (const auto& body : bodies)
      start(code, gpid, body, [&](Result<net::IncomingReply> reply) {
        if (reply) done(*reply);
        if (--left == 0) all_done.notify();
      });
    while (left > 0) co_await all_done.wait();  // no result
    co_return true;
  }

  Routine<bool> close() {
    rpc_.stop();
    co_await rpc_.join();  // no result
    co_return true;
  }

  TestClient& client_;
  wire::Framing framing_;
  net::TcpConnector connector_;
  net::RpcClient rpc_;
  net::RpcChannel& channel_;
};

}  // namespace pegmove::testing
