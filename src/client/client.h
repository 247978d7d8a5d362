// The root of the client library: owns the connections. Everything else (Cluster, Table, Scanner)
// refers to a Client and must be destroyed before it.
//
// The coroutine API begins here:
//   client::Client client(executor, clock);
//   auto cluster = CO_TRY(co_await client::Cluster::connect(client, {{"10.0.0.1", 34601}},
//   deadline)); auto table = CO_TRY(co_await client::Table::open(cluster, "my_table", deadline));
//   auto value = CO_TRY(co_await table->get("hash", "sort", deadline));
// For code without coroutines there is blocking.h.
#pragma once

#include "net/host_names.h"
#include "net/http_get.h"
#include "net/rpc_client.h"
#include "net/tcp.h"

namespace pegmove::client {

struct ClientOptions {
  net::HostNames::LookUp look_up = net::look_up;
  // Not 0: for writes that must not arrive late. The bytes of a call whose OutgoingCall has a
  // `sent` end with its time: none are written after its deadline, what was not delivered until
  // then is discarded, and the network carries no byte for longer than this. So the last one
  // arrives within the call's time and this one. net::TcpOptions and net::RpcChannelOptions.
  async::milliseconds longest_unacknowledged{0};
};

// All on one executor, which runs on one thread. Order: ...; co_await close(); destroy.
class Client {
 public:
  Client(asio::any_io_executor executor, Clock& clock, ClientOptions options = {});

  Clock& clock() { return clock_; }
  net::RpcChannel& channel(net::Address address) { return rpc_.channel(address); }

  // The addresses of names. Callers report addresses at which no server answers.
  net::HostNames& host_names() { return host_names_; }

  // GET of a node's HTTP server, which listens on the port of its RPC: net/http_get.h has the
  // contract and the errors. Tries all addresses of the node. Errors: also those of
  // HostNames::resolve().
  Task<net::HttpResponse> http_get(net::HostPort node, std::string target, Deadline deadline);

  // Fails every call in progress (kInterrupted) and closes the connections.
  Routine<> close();

 private:
  Clock& clock_;
  net::TcpConnector connector_;
  net::RpcClient rpc_;
  net::HostNames host_names_;
};

}  // namespace pegmove::client
