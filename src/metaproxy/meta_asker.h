// Asks the meta servers of the clusters that a MetaProxy routes to.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <set>

#include "net/host_names.h"
#include "net/rpc_client.h"
#include "routes/route.h"

namespace pegmove::metaproxy {

struct MetaAskerOptions {
  // A meta server that hangs: the next one is asked after this time. Go's client waits for 1.4
  // seconds in all.
  async::milliseconds one_try{700};
};

// All on one executor. Order: ...; stop(); co_await join(); destroy.
class MetaAsker {
 public:
  MetaAsker(asio::any_io_executor executor, net::Connector& connector, Clock& clock,
            net::HostNames::LookUp look_up = net::look_up, MetaAskerOptions options = {});

  // Sends a RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX with this body to the route's meta servers, the
  // one that answered last first, and returns the whole answer, as it came. It is asked in the
  // framing of the client, since servers answer each framing differently (old clients of THFT
  // cannot skip hp_* fields). ERR_FORWARD_TO_OTHERS is followed. Tries until the deadline. Errors:
  // kUnreachable, with the last reason.
  Task<net::IncomingReply> ask(routes::Route route, wire::Framing framing, std::string body,
                               Deadline deadline);

  void stop();
  Routine<> join();

 private:
  struct Round {
    std::deque<net::Address> next{};
    std::set<net::Address> asked{};
    Error last{Code::kUnreachable, "no answer"};
  };
  Task<net::IncomingReply> ask_all(const routes::Route& route, net::RpcClient& client,
                                   std::string_view body, Deadline deadline);
  Routine<> look_up(Round& round, const routes::Route& route, Deadline deadline);
  Task<net::IncomingReply> ask_round(Round& round, const routes::Route& route,
                                     net::RpcClient& client, std::string_view body,
                                     Deadline deadline);
  void note_failed(const routes::Route& route, net::Address address);

  Clock& clock_;
  MetaAskerOptions options_;
  net::HostNames host_names_;
  std::array<std::unique_ptr<net::RpcClient>, 3> clients_;      // by framing
  std::map<std::vector<net::HostPort>, net::Address> leaders_;  // by the addresses of a route
};

}  // namespace pegmove::metaproxy
