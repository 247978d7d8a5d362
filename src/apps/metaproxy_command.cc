#include <fmt/format.h>

#include <cstdio>

#include "apps/zookeeper_options.h"
#include "async/event.h"
#include "base/small_file.h"
#include "base/standard_streams.h"
#include "base/text.h"
#include "base/units.h"
#include "metaproxy/config_file.h"
#include "metaproxy/meta_proxy.h"

namespace pegmove::apps {
namespace {

using metaproxy::MetaProxy;
using metaproxy::MetaProxyOptions;

constexpr size_t kMostYamlBytes = 1 << 20;

struct MetaProxyArguments {
  std::string listen = "127.0.0.1:34601", config, tables, session_timeout;
  ZooKeeperArguments zookeeper;
  std::optional<int64_t> most_routes;
};

struct ProxySettings {
  MetaProxyOptions proxy{};
  routes::ZooKeeperOptions zookeeper{};
  std::vector<std::string> notes{};
};

// What the file says, unless an option says otherwise.
Result<ProxySettings> proxy_settings(MetaProxyArguments arguments) {
  ProxySettings out;
  metaproxy::ConfigFile file;
  if (!arguments.config.empty()) {
    const auto text =
        TRY(in_context(base::read_input(arguments.config, kMostYamlBytes), "--config"));
    file = TRY(in_context(metaproxy::parse_config_file(text), "--config " + arguments.config));
  }
  const auto at = TRY(in_context(net::parse_host_port(arguments.listen), "--listen"));
  out.proxy.listen = {TRY(in_context(net::parse_ipv4(at.host), "--listen")), at.port};
  if (arguments.zookeeper.root.empty()) arguments.zookeeper.root = file.root;
  out.proxy.routes.root = TRY(zookeeper_root(arguments.zookeeper));
  out.zookeeper.servers = arguments.zookeeper.servers.empty() && !file.zookeeper.empty()
                              ? file.zookeeper
                              : TRY(zookeeper_servers(arguments.zookeeper));
  if (file.session_timeout) out.zookeeper.session_timeout = *file.session_timeout;
  if (!arguments.session_timeout.empty())
    out.zookeeper.session_timeout =
        TRY(in_context(base::parse_duration(arguments.session_timeout), "--session-timeout"));
  if (file.most_routes) out.proxy.routes.most_routes = size_t(*file.most_routes);
  if (arguments.most_routes) out.proxy.routes.most_routes = size_t(*arguments.most_routes);
  for (auto& table : base::split(arguments.tables, ',')) out.proxy.tables.insert(std::move(table));
  if (!arguments.tables.empty() && out.proxy.tables.empty())
    return fail(Code::kInvalidArgument, "--tables names no table; write it like t1,t2");
  out.proxy.labels = std::move(file.labels);
  out.notes = std::move(file.notes);
  return out;
}

// Serves until SIGINT or SIGTERM. Returns when everything has ended.
Task<> serve_routes(asio::io_context& context, ProxySettings settings) {
  // Waited for from the beginning, so that no signal ends the process otherwise.
  asio::signal_set signals(context, SIGINT, SIGTERM);
  async::Event signalled;
  bool is_over = false;
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    is_over = true;
    signalled.notify();
  });
  async::SystemClock clock;
  Logger log("metaproxy");
  for (const auto& note : settings.notes) log.warning("configuration file: " + note);
  if (settings.proxy.listen.ipv4 >> 24 != 127)
    log.warning(
        fmt::format("listening on {}: everybody who can reach this address can see the "
                    "tables' servers",
                    settings.proxy.listen.to_string()));
  auto executor = context.get_executor();
  routes::ZooKeeper zookeeper(executor, clock, settings.zookeeper, log);
  auto proxy = CO_TRY(MetaProxy::listen(executor, clock, zookeeper, settings.proxy, log));
  zookeeper.start(&proxy->routes());
  proxy->start();
  std::printf("metaproxy on %s, %s, root %s\nready; Ctrl-C stops it\n",
              proxy->address().to_string().c_str(), zookeeper.description().c_str(),
              settings.proxy.routes.root.empty() ? "/" : settings.proxy.routes.root.c_str());
  auto printed = base::flush_standard_output();
  while (printed && !is_over) co_await signalled.wait();  // no result
  signals.cancel();
  proxy->stop();
  zookeeper.stop();
  co_await proxy->join();     // no result
  co_await zookeeper.join();  // no result
  co_return printed;
}

int run_metaproxy(const MetaProxyArguments& arguments) {
  auto settings = proxy_settings(arguments);
  if (!settings) return report(settings.error(), kUsage);
  asio::io_context context;
  auto served = async::run_to_end(context, serve_routes(context, *std::move(settings)));
  if (served) return kDone;
  return report(served.error(),
                served.error().code() == Code::kAlreadyExists ? kPreflightFailed : kFailed);
}

}  // namespace

void add_metaproxy_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<MetaProxyArguments>();
  auto* verb = program.add_verb(
      "metaproxy",
      "Example: pegmove metaproxy --listen 127.0.0.1:34601 --zookeeper 10.0.0.9:2181 --zk-root "
      "/pegasus-cluster\n"
      "Example: pegmove metaproxy --config meta-proxy.yml --tables orders,users\n\n"
      "Clients use it as their meta server: it tells them where a table is, as the table's node in "
      "ZooKeeper says. `pegmove routes` shows and changes the nodes. A route that was good once is "
      "kept while ZooKeeper is away or a node is wrong. GET /routes shows the routes and their "
      "age, "
      "GET /metrics has metrics for Prometheus. docs/metaproxy.md has the details.");
  verb->list_under(kThingsThatStayUp, "tells clients which cluster has a table, as ZooKeeper says");
  verb->add_option("--listen", arguments->listen, "IPv4 address and port")->capture_default_str();
  add_zookeeper_options(*verb, arguments->zookeeper);
  verb->add_option("--config", arguments->config,
                   "YAML file of the original MetaProxy: [zookeeper] address, root, timeout, "
                   "table_watcher_cache_capacity, [metric] tags; options win over it");
  verb->add_option("--tables", arguments->tables,
                   "tables that are served: t1,t2; others do not exist for clients; default: all");
  verb->add_option("--session-timeout", arguments->session_timeout,
                   "of the session with ZooKeeper; default: 10s");
  verb->add_option("--max-routes", arguments->most_routes, "routes that are kept; default: 1024")
      ->in_range(1, 1'000'000);
  verb->callback([arguments, &exit_code] { exit_code = run_metaproxy(*arguments); });
}

}  // namespace pegmove::apps
