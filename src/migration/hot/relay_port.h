// The relays of one direction of a hot migration (docs/relay.md), through ZooKeeper, where they say
// what they own, and by the HTTP pages of their processes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/cluster.h"
#include "migration/hot/hot_request.h"
#include "migration/hot/side.h"
#include "routes/nodes.h"

namespace pegmove::migration::hot {

// What a relay is for: from a table to another one.
struct RelayEnds {
  const HotSide& from;
  const HotSide& to;
  std::string root{};  // of relays in ZooKeeper
};
// "pegmove relay --from A --to B --table t ...": what the operator starts.
std::string relay_command(const RelayEnds& ends, const std::string& zookeeper);

class RelayPort : public Relay {
 public:
  // `cluster`: whose client asks the relays. Errors: kInvalidArgument: a name that no node of
  // ZooKeeper can have.
  static Result<std::unique_ptr<RelayPort>> open(routes::Nodes& nodes, Clock& clock,
                                                 std::shared_ptr<client::Cluster> cluster,
                                                 const RelayEnds& ends);

  // Whether every partition of the sending table has a relay that takes requests for it, and writes
  // to the right table. Errors: kNotFound, kBusy and others: not yet, and why; kRefused: what is
  // there is another relay, or it is sealed.
  Task<> look(int32_t partitions, Deadline deadline);
  Task<int64_t> seal(Deadline deadline) override;
  Task<> unseal(Deadline deadline) override;

 private:
  RelayPort(routes::Nodes& nodes, Clock& clock, std::shared_ptr<client::Cluster> cluster,
            std::string folder, const RelayEnds& ends);
  Task<std::string> ask(net::HostPort relay, Deadline deadline);
  Task<> check_duty(int32_t partitions, Deadline deadline);
  Task<> check_config(std::vector<net::HostPort> relays, int32_t partitions, Deadline deadline);

  routes::Nodes& nodes_;
  Clock& clock_;
  const std::shared_ptr<client::Cluster> cluster_;  // shared with the run
  const std::string folder_;
  const std::string from_cluster_, table_, to_cluster_, to_table_;
};

}  // namespace pegmove::migration::hot
