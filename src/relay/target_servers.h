// The replica servers of a relay's target: which are alive, and whether DUPLICATE may be sent to
// them.
//
// A real server that has not its own id and the source's in its [duplication-group] aborts when it
// carries out a DUPLICATE, and so does the next primary. Servers are added, replaced and restarted
// with other settings while a relay runs, and one that learns a partition is in no list of its
// members. So all that are alive count for each partition.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "async/event.h"
#include "client/cluster.h"

namespace pegmove::relay {

// Whether a server may be sent DUPLICATE. Errors: why not, and what helps.
using ServerCheck = std::function<Task<>(net::HostPort server)>;

// All on the client's executor; it must not outlive the client.
class TargetServers {
 public:
  // An empty `check` lets all pass.
  TargetServers(client::Client& client, std::vector<net::HostPort> metas, ServerCheck check);

  // Asks the cluster which servers are alive. What is known counts until it answers. A server that
  // was not alive is checked again when it is. Errors: those of client::Cluster::nodes().
  Task<> refresh();
  // Those that were alive at the last refresh(), and `members`; each once. Asks when nothing is
  // known yet. Errors: as above.
  Task<std::vector<net::HostPort>> all(std::vector<net::HostPort> members);
  // Succeeds when the check of the server has, since the last doubt. One check of a server at a
  // time; one that has failed counts for some seconds. Errors: those of the check.
  Task<> check(net::HostPort server);
  // The server may have been restarted with other settings.
  void doubt(const net::HostPort& server);

 private:
  struct Server {
    bool is_checked = false;
    bool is_being_checked = false;
    async::Event checked{};
    std::optional<Error> refusal{};
    async::Instant refused_at{};
  };
  std::shared_ptr<Server> server_of(const net::HostPort& name);

  client::Client& client_;
  client::Cluster cluster_;
  const ServerCheck check_;
  std::optional<std::vector<net::HostPort>> alive_;
  std::map<net::HostPort, std::shared_ptr<Server>> servers_;  // shared with who checks it
};

}  // namespace pegmove::relay
