// relay, relay seal.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/zookeeper_options.h"
#include "async/event.h"
#include "base/json_text.h"
#include "base/standard_streams.h"
#include "base/units.h"
#include "inspect/gather.h"
#include "inspect/server_checks.h"
#include "relay/cluster_target.h"
#include "relay/reach.h"
#include "relay/relay.h"
#include "relay/seal.h"
#include "routes/route.h"

namespace pegmove::apps {
namespace {

using relay::ClusterTarget;
using relay::Relay;
using relay::RelayOptions;
using relay::WriteMethod;

constexpr const char* kUsualRelayRoot = "/pegmove/relay";
constexpr async::milliseconds kSourceQuestion{5'000};
constexpr async::milliseconds kBetweenLooks{20};

struct RelayArguments {
  CommonOptions common;
  ZooKeeperArguments zookeeper{.servers = "", .root = kUsualRelayRoot};
  std::string from, to, table, to_table;
  std::string listen = "127.0.0.1:36601", address, session_timeout = "10s", write = "duplicate";
  bool undo = false;
};

struct RelaySettings {
  RelayArguments arguments;
  std::vector<net::HostPort> source_metas{}, target_metas{};
  RelayOptions relay{};
  inspect::ClusterId source_id{};  // with --write duplicate
  routes::ZooKeeperOptions zookeeper{};
  async::milliseconds timeout{};
  std::vector<net::HostPort> source_servers{};
};

Result<void> check_given(const RelayArguments& arguments) {
  for (const auto& [option, value] :
       {std::pair("--from", &arguments.from), std::pair("--to", &arguments.to),
        std::pair("--table", &arguments.table)})
    if (value->empty()) return fail(Code::kInvalidArgument, fmt::format("{} is required", option));
  return {};
}

Result<RelaySettings> relay_settings(RelayArguments arguments) {
  TRY(check_given(arguments));
  if (arguments.to_table.empty()) arguments.to_table = arguments.table;
  RelaySettings out;
  const auto config = TRY(ClusterConfig::load(arguments.common.config));
  out.source_metas = TRY(in_context(config.metas_of(arguments.from), "--from"));
  out.target_metas = TRY(in_context(config.metas_of(arguments.to), "--to"));
  out.timeout = TRY(in_context(base::parse_duration(arguments.common.timeout), "--timeout"));
  const auto at = TRY(in_context(net::parse_host_port(arguments.listen), "--listen"));
  out.relay.listen = {TRY(in_context(net::parse_ipv4(at.host), "--listen")), at.port};
  out.relay.address = {at.host, at.port};
  if (!arguments.address.empty())
    out.relay.address = TRY(in_context(net::parse_host_port(arguments.address), "--address"));
  else if (out.relay.listen.ipv4 == 0)
    return fail(Code::kInvalidArgument,
                "--listen has no address that others can use; give one with --address");
  out.relay.table = arguments.table;
  out.relay.target_table = arguments.to_table;
  out.relay.root = TRY(in_context(routes::check_root(arguments.zookeeper.root), "--relay-root"));
  out.relay.method = arguments.write == "plain" ? WriteMethod::kPlain : WriteMethod::kDuplicate;
  out.zookeeper.servers = TRY(zookeeper_servers(arguments.zookeeper));
  out.zookeeper.session_timeout =
      TRY(in_context(base::parse_duration(arguments.session_timeout), "--session-timeout"));
  out.arguments = std::move(arguments);
  return out;
}

Result<void> check_table(const inspect::SideFacts& side, const std::string& cluster) {
  if (side.unreachable) return fail(*side.unreachable);
  if (!side.info)
    return fail(Code::kNotFound, fmt::format("cluster {} has no table '{}'", cluster, side.table));
  return {};
}

// Whether rows may be written with the source's times, and whether that keeps newer ones.
Result<void> check_duplicate(const inspect::SideFacts& source, const inspect::SideFacts& target) {
  auto why = inspect::why_not_duplicate(source, target);
  if (!why) why = inspect::why_times_are_not_kept(target);
  if (!why) return {};
  return fail(Code::kRefused, *why +
                                  "; or use --write plain, with which what is shipped twice takes "
                                  "rows back for a moment");
}

// What the clusters say of the tables. Errors: a relay must not begin.
Result<void> apply(const inspect::Gathered& gathered, RelaySettings& settings) {
  const auto& [source, target, is_same, now] = gathered.inspection;
  TRY(check_table(source, settings.arguments.from));
  TRY(check_table(target, settings.arguments.to));
  if (is_same)
    return fail(Code::kInvalidArgument,
                "the target is the source; give another --to or --to-table");
  if (gathered.source_cluster->is_behind_proxy() || gathered.target_cluster->is_behind_proxy())
    return fail(Code::kInvalidArgument,
                "--from or --to is a MetaProxy; give the clusters' own meta servers");
  if (settings.relay.method == WriteMethod::kDuplicate) TRY(check_duplicate(source, target));
  settings.relay.source = gathered.source_cluster->name();
  settings.relay.target = gathered.target_cluster->name();
  settings.relay.app_id = source.info->app_id;
  settings.relay.partitions = source.info->partition_count;
  settings.relay.target_app_id = target.info->app_id;
  if (settings.relay.method == WriteMethod::kDuplicate)
    settings.source_id = TRY(inspect::cluster_id_of(source));
  settings.source_servers = settings.source_metas;
  for (const auto& node : source.nodes)
    settings.source_servers.push_back(TRY(net::parse_host_port(node.node)));
  std::printf("table '%s' of %s: %d partitions; table '%s' of %s: %d partitions\n",
              source.table.c_str(), settings.relay.source.c_str(), source.info->partition_count,
              target.table.c_str(), settings.relay.target.c_str(), target.info->partition_count);
  return {};
}

Task<> look_at_clusters(client::Client& client, RelaySettings& settings) {
  const auto deadline = Deadline::in(client.clock(), settings.timeout);
  inspect::Side source{settings.arguments.from,
                       co_await client::Cluster::connect(client, settings.source_metas, deadline)};
  inspect::Side target{settings.arguments.to,
                       co_await client::Cluster::connect(client, settings.target_metas, deadline)};
  const auto gathered = co_await inspect::gather(std::move(source), std::move(target),
                                                 {.table = settings.relay.table,
                                                  .to_table = settings.relay.target_table,
                                                  .timeout = settings.timeout});
  co_return apply(gathered, settings);
}

// Ctrl-C and SIGTERM, from the beginning, so that none ends the process otherwise.
class EndSignals {
 public:
  explicit EndSignals(asio::io_context& context) : signals_(context, SIGINT, SIGTERM) {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      is_over_ = true;
      came_.notify();
    });
  }
  bool have_come() const { return is_over_; }
  Routine<> wait() {
    while (!is_over_) co_await came_.wait();  // no result
  }
  void cancel() { signals_.cancel(); }

 private:
  bool is_over_ = false;
  async::Event came_;
  asio::signal_set signals_;
};

void warn(const RelaySettings& settings, net::Address at, Logger& log) {
  if (at.ipv4 >> 24 != 127)
    log.warning(
        fmt::format("listening on {}: everybody who can reach this address can write to "
                    "the target",
                    at.to_string()));
  if (const auto why = relay::why_out_of_reach(settings.relay.address, settings.source_servers))
    log.warning(*why);
}

// Until it knows who owns what, or a signal comes; sources are answered meanwhile. Errors: why
// ZooKeeper does not say so in time, or that these relays may not do this.
Task<> wait_for_zookeeper(const relay::Ownership& ownership, Clock& clock,
                          const EndSignals& signals, Deadline deadline) {
  while (!ownership.looked() && !signals.have_come()) {
    const auto& error = ownership.looked().error();
    if (error.code() == Code::kRefused || deadline.passed(clock)) co_return fail(error);
    co_await clock.sleep_for(kBetweenLooks);  // no result
  }
  co_return Result<void>();
}

Result<void> announce(Relay& relay, const routes::Nodes& nodes, const RelaySettings& settings) {
  std::printf("relay on %s, known as %s, %s, root %s\n", relay.address().to_string().c_str(),
              settings.arguments.address.empty() ? relay.address().to_string().c_str()
                                                 : settings.arguments.address.c_str(),
              nodes.description().c_str(), settings.relay.root.c_str());
  if (relay.ownership().is_sealed())
    std::printf(
        "the relays are sealed from before: nothing is taken from the source until "
        "`pegmove relay seal --undo`\n");
  std::printf("ready; Ctrl-C stops it\n");
  return base::flush_standard_output();
}

Task<int32_t> count_partitions(client::Cluster& cluster, std::string table) {
  const auto deadline = Deadline::in(cluster.client().clock(), kSourceQuestion);
  co_return CO_TRY(co_await cluster.table_config(std::move(table), {}, deadline)).partition_count;
}

// Serves until a signal. The session with ZooKeeper ends last: another relay takes over then.
Task<> serve(asio::io_context& context, client::Client& client, EndSignals& signals,
             RelaySettings settings, bool& has_begun) {
  Logger log("relay");
  auto& clock = client.clock();
  const auto executor = context.get_executor();
  client::Cluster source(client, settings.source_metas);
  settings.relay.count_source_partitions = [&source, table = settings.relay.table] {
    return count_partitions(source, table);
  };
  routes::ZooKeeper zookeeper(executor, clock, settings.zookeeper, log);
  ClusterTarget target(executor, client,
                       {.cluster = settings.relay.target,
                        .metas = settings.target_metas,
                        .table = settings.relay.target_table,
                        .app_id = settings.relay.target_app_id,
                        .method = settings.relay.method,
                        .check_server =
                            [&](net::HostPort server) {
                              return inspect::check_duplication_group(
                                  client, std::move(server), settings.source_id, settings.timeout);
                            }},
                       log);
  auto relay = CO_TRY(Relay::listen(executor, clock, zookeeper, target, settings.relay, log));
  warn(settings, relay->address(), log);
  zookeeper.start(&relay->ownership());
  target.start();
  relay->start();
  auto done = co_await wait_for_zookeeper(relay->ownership(), clock, signals,
                                          Deadline::in(clock, settings.timeout));
  has_begun = done.has_value();
  if (done && !signals.have_come()) done = announce(*relay, zookeeper, settings);
  if (done) co_await signals.wait();  // no result
  co_await relay->end();              // no result
  target.stop();
  co_await target.join();  // no result
  zookeeper.stop();
  co_await zookeeper.join();  // no result
  co_return done;
}

Task<> run_until_stopped(asio::io_context& context, RelaySettings settings, bool& has_begun) {
  EndSignals signals(context);
  async::SystemClock clock;
  client::Client client(context.get_executor(), clock, relay::target_client_options());
  auto done = co_await look_at_clusters(client, settings);
  if (done) done = co_await serve(context, client, signals, std::move(settings), has_begun);
  signals.cancel();
  co_await client.close();  // no result
  co_return done;
}

int run_relay(const RelayArguments& arguments) {
  auto settings = relay_settings(arguments);
  if (!settings) return report(settings.error(), kUsage);
  asio::io_context context;
  bool has_begun = false;
  auto served =
      async::run_to_end(context, run_until_stopped(context, *std::move(settings), has_begun));
  if (served) return kDone;
  return report(served.error(), has_begun ? kFailed : kPreflightFailed);
}

Task<std::string> ask_relay(client::Client& client, net::HostPort relay, Deadline deadline) {
  auto answer = CO_TRY(co_await client.http_get(std::move(relay), "/relay", deadline));
  if (answer.status != 200)
    co_return fail(Code::kProtocol, fmt::format("GET /relay: status {}", answer.status));
  co_return std::move(answer.body);
}

void print_seal(const RelayArguments& arguments, const relay::SealReport& sealed) {
  if (arguments.common.json)
    std::printf("%s\n", base::json_text(nlohmann::ordered_json{{"sealed", true},
                                                               {"partitions", sealed.partitions},
                                                               {"relays", sealed.relays},
                                                               {"in_flight", 0}},
                                        2)
                            .c_str());
  else
    std::printf("sealed: %d source partitions of %d relays, 0 requests in flight\n",
                sealed.partitions, sealed.relays);
}

Task<> seal_relays(CommandRun& run, routes::Nodes& nodes, std::string root,
                   RelayArguments arguments) {
  const auto source = CO_TRY(co_await run.connect(arguments.from));
  const auto target = CO_TRY(co_await run.connect(arguments.to));
  const auto folder =
      CO_TRY(relay::relay_folder(root, source->name(), arguments.table, target->name()));
  const auto deadline = Deadline::in(run.clock(), run.timeout());
  if (arguments.undo) {
    CO_TRY(co_await relay::unseal(nodes, folder, deadline));
    if (!arguments.common.quiet) std::printf("the seal was removed\n");
    co_return Result<void>();
  }
  const auto ask = [&run](net::HostPort relay, Deadline until) {
    return ask_relay(run.client(), std::move(relay), until);
  };
  print_seal(arguments, CO_TRY(co_await relay::seal(nodes, run.clock(), folder, ask, deadline)));
  co_return Result<void>();
}

Routine<bool> close_session(routes::ZooKeeper& nodes) {
  nodes.stop();
  co_await nodes.join();  // no result
  co_return true;
}

int run_seal(const RelayArguments& arguments) {
  if (auto given = check_given(arguments); !given) return report(given.error(), kUsage);
  auto servers = zookeeper_servers(arguments.zookeeper);
  if (!servers) return report(servers.error(), kUsage);
  auto root = in_context(routes::check_root(arguments.zookeeper.root), "--relay-root");
  if (!root) return report(root.error(), kUsage);
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  if (auto known = (*run)->check_clusters({arguments.from, arguments.to}); !known)
    return report(known.error(), kUsage);
  routes::ZooKeeper nodes((*run)->context().get_executor(), (*run)->clock(),
                          {.servers = *std::move(servers)}, Logger("relay seal"));
  nodes.start(nullptr);
  auto done = (*run)->wait_for(seal_relays(**run, nodes, *std::move(root), arguments));
  (*run)->wait_for(close_session(nodes));
  if (done) return kDone;
  return report(done.error(), kFailed);
}

void add_relay_options(Verb& verb, RelayArguments& arguments) {
  verb.add_option("--from", arguments.from,
                  "source cluster: a name of the config file, or host:port,...");
  verb.add_option("--to", arguments.to, "target cluster, likewise");
  verb.add_option("--table", arguments.table, "the source's table");
  verb.add_option("--zookeeper", arguments.zookeeper.servers,
                  "servers of ZooKeeper: host:port,...");
  verb.add_option("--relay-root", arguments.zookeeper.root,
                  "node of ZooKeeper below which relays say what they own")
      ->capture_default_str();
}

void add_seal(Verb& relay, int& exit_code) {
  auto arguments = std::make_shared<RelayArguments>();
  auto* seal = relay.add_optional_verb(
      "seal",
      "Example: pegmove relay seal --from A --to B --table orders --zookeeper 10.0.0.9:2181\n\n"
      "From now on the relays take nothing from the source, which repeats its requests. Returns "
      "when all of them say so and nothing is in flight: the target gets no more writes from the "
      "source then. Exit code 1: that is not proven yet; the command may be repeated.");
  seal->list_under(kVerbs, "makes the relays of a table take nothing more, and proves it");
  add_relay_options(*seal, *arguments);
  seal->add_flag("--undo", arguments->undo, "remove the seal");
  add_common_options(*seal, arguments->common);
  seal->callback([arguments, &exit_code] { exit_code = run_seal(*arguments); });
}

}  // namespace

void add_relay_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<RelayArguments>();
  auto* verb = program.add_verb(
      "relay",
      "Example: pegmove relay --from A --to B --table orders --listen 127.0.0.1:36601 --zookeeper "
      "10.0.0.9:2181\n\n"
      "To the source cluster it is a cluster whose table has the source's partition count: name it "
      "in the source's [pegasus.clusters] and [duplication-group], and `add_dup orders NAME`. What "
      "the source ships is split by the target's partitions, written there in order, and answered "
      "when the target has it. Several relays of one table share its partitions, and take over for "
      "each other. GET /relay shows who owns which and what they wait for; GET /metrics/prometheus "
      "has metrics. docs/relay.md has the details.");
  verb->list_under(kThingsThatStayUp,
                   "takes a duplication to a table with another partition count");
  add_relay_options(*verb, *arguments);
  verb->add_option("--to-table", arguments->to_table, "the target's table; default: the same name");
  verb->add_option("--listen", arguments->listen, "IPv4 address and port")->capture_default_str();
  verb->add_option("--address", arguments->address,
                   "host:port at which sources and other relays reach it; default: --listen");
  verb->add_option("--write", arguments->write,
                   "duplicate: with the source's times, so that what is shipped twice changes "
                   "nothing; plain: as clients do, for a target that is in no [duplication-group]")
      ->one_of({"duplicate", "plain"})
      ->capture_default_str();
  verb->add_option("--session-timeout", arguments->session_timeout,
                   "of the session with ZooKeeper: how long a relay that is gone keeps its "
                   "partitions")
      ->capture_default_str();
  verb->add_option("--config", arguments->common.config, "INI file with [pegasus.clusters]");
  verb->add_option("--timeout", arguments->common.timeout,
                   "of the questions at the start, to the clusters and to ZooKeeper; exit code 3 "
                   "when they are not answered")
      ->capture_default_str();
  verb->callback([arguments, &exit_code] { exit_code = run_relay(*arguments); });
  add_seal(*verb, exit_code);
}

}  // namespace pegmove::apps
