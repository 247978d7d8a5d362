// routes ls, show, set: MetaProxy's nodes in ZooKeeper.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/zookeeper_options.h"
#include "base/bytes.h"
#include "base/json_text.h"
#include "base/text.h"
#include "routes/change_route.h"

namespace pegmove::apps {
namespace {

using routes::Route;
using routes::RouteNode;
using Json = nlohmann::ordered_json;

struct RoutesArguments {
  CommonOptions common;
  ZooKeeperArguments zookeeper;
  std::string table, to;
  std::optional<int32_t> version;
  bool create = false;
};

Json to_json(const RouteNode& node) {
  return {{"table", node.table},
          {"node", node.path},
          {"cluster_name", node.route ? Json(node.route->cluster) : Json()},
          {"meta_addrs", node.route ? Json(node.route->metas_text()) : Json()},
          {"version", node.node.version},
          {"changed_ms", node.node.changed_ms},
          {"problem", node.problem}};
}

void print_json(const Json& json) {
  std::printf("%s\n", base::json_text(json, 2, base::NoUtf8::kReplace).c_str());
}

std::string route_line(const RouteNode& node) {
  if (!node.route) return "(wrong) " + node.problem;
  return fmt::format("{}  {}", node.route->cluster.empty() ? "-" : node.route->cluster,
                     node.route->metas_text());
}

Task<int> list_nodes(CommandRun& run, routes::Nodes& nodes, std::string root,
                     RoutesArguments arguments) {
  auto all = CO_TRY(co_await routes::list_routes(nodes, std::move(root),
                                                 Deadline::in(run.clock(), run.timeout())));
  if (arguments.common.json) {
    Json list = Json::array();
    for (const auto& node : all) list.push_back(to_json(node));
    print_json(list);
    co_return int(kDone);
  }
  for (const auto& node : all)
    std::printf("%s  version %d  %s\n", base::printable(node.table, 255).c_str(), node.node.version,
                route_line(node).c_str());
  if (all.empty()) std::printf("no tables\n");
  co_return int(kDone);
}

Task<int> show_node(CommandRun& run, routes::Nodes& nodes, std::string root,
                    RoutesArguments arguments) {
  auto node = CO_TRY(co_await routes::read_route(nodes, std::move(root), arguments.table,
                                                 Deadline::in(run.clock(), run.timeout())));
  if (arguments.common.json) {
    print_json(to_json(node));
  } else {
    std::printf("table: %s\nnode: %s\nversion: %d\nchanged: %s UTC\n", node.table.c_str(),
                node.path.c_str(), node.node.version,
                base::utc_date_time(node.node.changed_ms).c_str());
    if (node.route)
      std::printf("cluster: %s\nmeta servers: %s\n", node.route->cluster.c_str(),
                  node.route->metas_text().c_str());
  }
  if (node.problem.empty()) co_return int(kDone);
  co_return fail(
      Code::kCorrupt,
      fmt::format("node {}: {}; `pegmove routes set --table {} --to CLUSTER` replaces it",
                  node.path, node.problem, node.table));
}

// The route to the cluster, which has the table.
Task<Route> route_to(CommandRun& run, RoutesArguments arguments) {
  auto metas = CO_TRY(in_context(run.config().metas_of(arguments.to), "--to"));
  auto cluster = CO_TRY(co_await run.connect(arguments.to));
  if (cluster->is_behind_proxy())
    co_return fail(
        Code::kInvalidArgument,
        fmt::format("--to {} is a MetaProxy; give the cluster's own meta servers", arguments.to));
  CO_TRY(in_context(
      co_await cluster->table_info(arguments.table, Deadline::in(run.clock(), run.timeout())),
      "nothing was changed, since clients would not find their table"));
  co_return Route{cluster->name(), std::move(metas)};
}

void say_what_follows(const RoutesArguments& arguments, const Route& to,
                      const std::optional<RouteNode>& before) {
  if (arguments.common.quiet) return;
  if (to.metas.size() == 1)
    std::fprintf(
        stderr,
        "pegmove: the route has one meta server: pegmove metaproxy takes that, the original "
        "MetaProxy answers ERR_INVALID_DATA\n");
  if (before && before->route && before->route->cluster != to.cluster)
    std::fprintf(stderr,
                 "pegmove: clients that have the table open stay on cluster %s until it refuses "
                 "them: `set_app_envs replica.deny_client_request reconfig*all` in its shell\n",
                 before->route->cluster.c_str());
}

Task<int> set_node(CommandRun& run, routes::Nodes& nodes, std::string root,
                   RoutesArguments arguments) {
  const auto to = CO_TRY(co_await route_to(run, arguments));
  const auto deadline = Deadline::in(run.clock(), run.timeout());
  auto changed = CO_TRY(co_await routes::change_route(nodes, run.clock(), std::move(root),
                                                      {.table = arguments.table,
                                                       .to = to,
                                                       .version = arguments.version,
                                                       .may_create = arguments.create},
                                                      deadline));
  if (arguments.common.json) {
    print_json({{"table", arguments.table},
                {"before", changed.before ? to_json(*changed.before) : Json()},
                {"cluster_name", to.cluster},
                {"meta_addrs", to.metas_text()},
                {"version", changed.version}});
  } else {
    if (changed.before)
      std::printf("before: version %d  %s\n", changed.before->node.version,
                  route_line(*changed.before).c_str());
    std::printf("now: version %d  %s  %s\n", changed.version, to.cluster.c_str(),
                to.metas_text().c_str());
  }
  say_what_follows(arguments, to, changed.before);
  co_return int(kDone);
}

Routine<> close_nodes(routes::ZooKeeper& nodes) {
  nodes.stop();
  co_await nodes.join();  // no result
}

using RoutesVerb = Task<int> (*)(CommandRun&, routes::Nodes&, std::string root, RoutesArguments);

int run_routes(const RoutesArguments& arguments, RoutesVerb verb) {
  auto servers = zookeeper_servers(arguments.zookeeper);
  if (!servers) return report(servers.error(), kUsage);
  auto root = zookeeper_root(arguments.zookeeper);
  if (!root) return report(root.error(), kUsage);
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  routes::ZooKeeper nodes((*run)->context().get_executor(), (*run)->clock(),
                          {.servers = *std::move(servers)}, Logger("routes"));
  nodes.start(nullptr);
  auto done = (*run)->wait_for(verb(**run, nodes, *std::move(root), arguments));
  (*run)->wait_for(close_nodes(nodes));
  if (done) return *done;
  return report(done.error(), done.error().code() == Code::kInvalidArgument ? kUsage : kFailed);
}

Verb* add_routes_verb(Verb& routes, RoutesArguments& arguments, const std::string& name,
                      const std::string& description, const std::string& line) {
  auto* verb = routes.add_verb(name, description);
  verb->list_under(kVerbs, line);
  add_zookeeper_options(*verb, arguments.zookeeper);
  add_common_options(*verb, arguments.common);
  return verb;
}

}  // namespace

void add_routes_command(Verb& program, int& exit_code) {
  auto* routes = program.add_verb(
      "routes",
      "Example: pegmove routes ls --zookeeper 10.0.0.9:2181 --zk-root /pegasus-cluster\n\n"
      "The nodes in ZooKeeper that tell a MetaProxy which cluster has a table.");
  routes->list_under(kByHand, "shows and changes a MetaProxy's routes in ZooKeeper: ls, show, set");
  auto arguments = std::make_shared<RoutesArguments>();
  auto* ls = add_routes_verb(*routes, *arguments, "ls",
                             "Example: pegmove routes ls --zookeeper 10.0.0.9:2181\n\n"
                             "Lists the tables, with the cluster and the version of each node.",
                             "lists the tables and their clusters");
  ls->callback([arguments, &exit_code] { exit_code = run_routes(*arguments, list_nodes); });
  auto* show =
      add_routes_verb(*routes, *arguments, "show",
                      "Example: pegmove routes show --zookeeper 10.0.0.9:2181 --table t\n\n"
                      "Shows the node of one table. Exit code 1 when it is no route.",
                      "shows the node of one table");
  show->add_option("--table", arguments->table, "name of the table")->required();
  show->callback([arguments, &exit_code] { exit_code = run_routes(*arguments, show_node); });
  auto* set = add_routes_verb(
      *routes, *arguments, "set",
      "Example: pegmove routes set --zookeeper 10.0.0.9:2181 --table t --to B\n"
      "Example: pegmove routes set --zookeeper 10.0.0.9:2181 --table t --to "
      "10.0.1.1:34601,10.0.1.2:34601 --version 3\n\n"
      "Sends clients of the table to another cluster, which must have the table. The node is "
      "replaced by compare-and-set on its version: when somebody else changes it at the same time, "
      "one of the two is refused and changes nothing.",
      "sends the clients of a table to another cluster");
  set->add_option("--table", arguments->table, "name of the table")->required();
  set->add_option("--to", arguments->to, "the cluster: a name of the config file, or host:port,...")
      ->required();
  set->add_option("--version", arguments->version,
                  "version that the node must have, as `routes show` prints it; default: the one "
                  "that it has when the command starts")
      ->in_range(0, INT32_MAX);
  set->add_flag("--create", arguments->create, "make the node if there is none");
  set->callback([arguments, &exit_code] { exit_code = run_routes(*arguments, set_node); });
}

}  // namespace pegmove::apps
