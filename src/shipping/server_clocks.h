// The clocks of other clusters' servers, as far as shipping needs them.
//
// A real replica server aborts on a DUPLICATE entry whose timestamp is later than its own clock,
// by any amount, and again at each start until that time has come. So an entry may leave only when
// the clock of each server that carries it out has certainly passed its timestamp.
//
// A server says its time in GET /metrics (Pegasus: timestamp_ns, src/utils/metrics.cpp), and before
// 2.6 in the remote command perf-counters-by-substr (seconds). The answer was made before it
// arrived: from then on the server's clock shows at least that, plus the time that passes here less
// what clocks may differ in speed. This host's wall clock is not involved.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "async/event.h"
#include "async/task_group.h"
#include "base/log.h"
#include "client/client.h"

namespace pegmove::shipping {

// All on the client's executor, one for a process or a node.
class ServerClocks {
 public:
  ServerClocks(client::Client& client, Logger log) : client_(client), log_(std::move(log)) {}

  // How long to wait until the server's clock has certainly passed the time; 0: it has. Ask again
  // after the wait. Reads the clock when it was not read recently. A server that answers, but
  // cannot say its time, is no real one: its clock is taken for one second behind this host's.
  // Errors: kUnreachable and kTimeout, naming the server.
  Task<std::chrono::microseconds> left(net::HostPort server, int64_t unix_us);
  // The server may have been replaced or restarted: its clock is read before it is used again.
  void doubt(const net::HostPort& server);
  // Until the group is stopped: reads each clock that is in use again every few seconds, so that
  // one that was set is noticed. Spawn it in that group.
  Routine<> watch(async::TaskGroup& group);

 private:
  struct Reading {
    int64_t least_us = 0;  // the server's unix time was at least this
    async::Instant at;     // at this instant
  };
  struct Server {
    net::HostPort name;
    std::optional<Reading> reading = {};
    bool is_doubted = false;
    async::Instant used_at{};
    bool is_being_read = false;
    async::Event read{};
    bool is_assumed = false;  // it does not say its time
  };
  std::shared_ptr<Server> server_of(const net::HostPort& name);
  bool is_due(const Server& server) const;
  Task<> read(std::shared_ptr<Server> server);
  Task<Reading> ask(Server& server);
  Task<Reading> ask_metrics(net::HostPort name);
  Task<Reading> ask_counters(net::HostPort name);
  int64_t least_now(const Reading& reading) const;

  client::Client& client_;
  Logger log_;
  std::map<net::HostPort, std::shared_ptr<Server>> servers_;  // shared with who reads its clock
};

}  // namespace pegmove::shipping
