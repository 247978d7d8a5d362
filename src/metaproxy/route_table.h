// The routes that a MetaProxy uses: read from ZooKeeper when a table is first asked for, watched,
// and confirmed every few seconds. A route that was good once is kept until ZooKeeper has another
// good one, or says that the node was deleted: no lost session, no wrong JSON and no silent
// ZooKeeper takes it away. How old it is, and why it is not newer, can be seen.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "async/task_group.h"
#include "base/log.h"
#include "routes/nodes.h"
#include "routes/route.h"

namespace pegmove::metaproxy {

struct RouteTableOptions {
  std::string root{};  // as check_root() returns it
  // Beyond it the route that was used longest ago is dropped, and read again when it is wanted.
  size_t most_routes = 1024;
  // How often each route is read again, whatever the watches say: the age of a route is more than
  // this only when ZooKeeper does not answer, or has no good route.
  async::milliseconds confirm_interval{10'000};
  // Of one read from ZooKeeper.
  async::milliseconds read_timeout{3'000};
  // While a route is not confirmed, the log says so again after this time.
  async::milliseconds remind_interval{60'000};
};

// A route in use.
struct KnownRoute {
  routes::Route route{};
  int32_t version = 0;         // of the node that it came from
  int64_t changed_ms = 0;      // when the node got that version, Unix time of ZooKeeper
  async::Instant confirmed{};  // when ZooKeeper last said that this is the node's data
  std::string problem{};  // why that was long ago, or what is wrong with the node now; "": nothing
  uint64_t last_use = 0;  // counts the uses of all routes; a confirmation is none
};

// All on one executor. Order: start(); ...; stop(); co_await join(); destroy.
class RouteTable : public routes::NodesListener {
 public:
  // `on_read` is called with the table after each read from ZooKeeper, and whether it has a route.
  RouteTable(asio::any_io_executor executor, Clock& clock, routes::Nodes& nodes,
             RouteTableOptions options, Logger log,
             std::function<void(const std::string& table, bool has_route)> on_read);

  void start();
  void stop();
  Routine<> join();

  // The route of a table: at once if it is known, whatever its age; else by the deadline. Errors:
  // kNotFound, there is no node, or none can be; kCorrupt, its data is no route; kUnreachable and
  // kTimeout, ZooKeeper does not answer. Nothing of that is remembered: the next call asks again.
  Task<routes::Route> find(std::string table, Deadline deadline);

  // By table.
  const std::map<std::string, KnownRoute>& known() const { return shown_; }
  async::milliseconds age_of(const KnownRoute& route) const;

  void node_changed(const std::string& path) override;
  void connection_changed() override;

 private:
  struct Look;
  Routine<> look(std::string table, std::shared_ptr<Look> own);
  Task<routes::Route> read_first(const std::string& table);
  Routine<> keep_confirmed();
  Routine<> confirm_again_and_again();
  Task<> confirm(std::string table);
  Result<routes::Route> take(const std::string& table, std::optional<routes::Node> node);
  void note_problem(const std::string& table, KnownRoute& known, std::string problem);
  void drop_oldest();
  void remind();
  std::string describe(const std::string& table, const KnownRoute& known) const;

  Clock& clock_;
  routes::Nodes& nodes_;
  RouteTableOptions options_;
  Logger log_;
  std::function<void(const std::string&, bool)> on_read_;
  std::map<std::string, KnownRoute> shown_;
  uint64_t uses_ = 0;
  std::map<std::string, std::shared_ptr<Look>> looks_;  // under way; shared with those who wait
  std::set<std::string> due_;
  async::Event has_due_;
  async::Instant reminded_{};
  async::TaskGroup tasks_;
};

}  // namespace pegmove::metaproxy
