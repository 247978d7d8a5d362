// hot: a table moves to another cluster while clients use it.
#include <fmt/format.h>

#include "apps/process_ports.h"
#include "apps/runs.h"
#include "apps/split_limits.h"
#include "apps/terminal.h"
#include "apps/zookeeper_options.h"
#include "base/text.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "migration/hot/hot.h"

namespace pegmove::apps {
namespace {

using migration::hot::HotMigration;
using migration::hot::HotRequest;

struct HotArguments {
  RunArguments run;
  ZooKeeperArguments zookeeper;
  std::string from, to, table, to_table, proxies;
  int32_t replicas = 0;
  bool cuts_over_alone = false, accepts_lost_writes = false, no_direct_clients = false;
  bool opens_source = false, drops_source = false, drops_target = false;
  std::string fence = "all", order = "fence-first", max_write_hold;
  std::string restart_within, measured_for;
  int64_t ships_per_second = migration::hot::kShippedPerSecond;
  int64_t most_lag = 1000;
  // To another partition count.
  int32_t partitions = 0;
  std::string relay, relay_back, relay_root = migration::hot::kUsualRelayRoot, store, path;
  bool no_way_back = false;
  MachineArguments machine;
};

// That nobody overwrites acknowledged writes without knowing it.
Result<void> check_order(const HotArguments& arguments, migration::hot::Order order) {
  if (order == migration::hot::Order::kFenceFirst) return {};
  if (!arguments.accepts_lost_writes)
    return fail(
        Code::kInvalidArgument,
        "--order routes-first: for up to 30 s both clusters accept writes, and acknowledged "
        "ones may be lost; --accept-lost-writes says that this is known");
  if (arguments.cuts_over_alone)
    return fail(Code::kInvalidArgument,
                "--order routes-first is not for --auto: leave one of the two out");
  return {};
}

Result<migration::hot::OtherCount> other_count_of(const HotArguments& arguments) {
  migration::hot::OtherCount other{
      .partitions = arguments.partitions,
      .relay = arguments.relay,
      .relay_back = arguments.relay_back,
      .no_way_back = arguments.no_way_back,
      .relay_root = TRY(in_context(routes::check_root(arguments.relay_root), "--relay-root")),
      .store = arguments.store,
      .path = arguments.path};
  TRY(in_context(blockstore::check_path(arguments.path), "--path"));
  // A folder for temporary files is made only when it is needed.
  if (!other.relay.empty()) other.limits = TRY(split_limits(arguments.machine));
  return other;
}

// An option's duration; 0: it was not given.
Result<async::milliseconds> duration_of(const std::string& text, const char* option) {
  if (text.empty()) return async::milliseconds(0);
  const auto length = TRY(in_context(base::parse_duration(text), option));
  if (length.count() > 0) return length;
  return fail(Code::kInvalidArgument, fmt::format("{}: it must be longer than 0", option));
}

Result<HotRequest> hot_request_of(const CommandRun& run, const HotArguments& arguments) {
  TRY(zookeeper_servers(arguments.zookeeper));
  HotRequest request{
      .source = {.metas = TRY(in_context(run.config().metas_text(arguments.from), "--from")),
                 .table = arguments.table},
      .target = {.metas = TRY(in_context(run.config().metas_text(arguments.to), "--to")),
                 .table = arguments.to_table.empty() ? arguments.table : arguments.to_table},
      .zookeeper = arguments.zookeeper.servers,
      .zk_root = TRY(zookeeper_root(arguments.zookeeper)),
      .proxies = base::split(arguments.proxies, ','),
      .no_direct_clients = arguments.no_direct_clients,
      .restart_within = TRY(duration_of(arguments.restart_within, "--wait-for-restart")),
      .measured_for = TRY(duration_of(arguments.measured_for, "--measure")),
      .ships_per_second = arguments.ships_per_second,
      .replica_count = arguments.replicas,
      .cuts_over_alone = arguments.cuts_over_alone,
      .fence = TRY(in_context(migration::hot::parse_fence(arguments.fence), "--fence")),
      .order = TRY(in_context(migration::hot::parse_order(arguments.order), "--order")),
      .most_lag = arguments.most_lag,
      .opens_source = arguments.opens_source,
      .drops_source = arguments.drops_source,
      .drops_target = arguments.drops_target,
      .other = TRY(other_count_of(arguments)),
      .timeout = run.timeout()};
  TRY(check_order(arguments, request.order));
  for (const auto& proxy : request.proxies)
    TRY(in_context(net::parse_host_port(proxy), "--proxies"));
  if (!arguments.max_write_hold.empty())
    request.max_write_hold =
        TRY(in_context(base::parse_duration(arguments.max_write_hold), "--max-write-hold"));
  return request;
}

// Servers do not tell who asks them, so the operator is asked, unless nobody is to be asked.
Result<bool> knows_all_clients(CommandRun& run, const HotRequest& request) {
  if (request.no_direct_clients) return true;
  if (request.cuts_over_alone || !is_on_terminal()) return false;
  run.prepare();
  return run.wait_for(ask_on_terminal(
      run.clock(), run.stop(),
      fmt::format("clients that ask the meta servers of {} directly are refused from the cutover "
                  "on. Do all clients of table {} ask a MetaProxy?",
                  request.source.metas, request.source.table)));
}

int move_hot(const HotArguments& arguments) {
  auto run = CommandRun::start(arguments.run.common);
  if (!run) return report(run.error(), kUsage);
  auto request = hot_request_of(**run, arguments);
  if (!request) return report(request.error(), kUsage);
  const auto confirmed = knows_all_clients(**run, *request);
  if (!confirmed) return report(confirmed.error());
  request->no_direct_clients = *confirmed;
  const journal::NewRun names{.method = std::string(migration::hot::kHotMethod),
                              .from = arguments.from,
                              .to = arguments.to,
                              .table = request->source.table,
                              .to_table = request->target.table};
  const ProcessPorts ports(**run, arguments.run.state, guard_words(arguments.run.failpoints));
  HotMigration work(*std::move(request), ports.get(), arguments.from, arguments.to);
  return begin_run(**run, arguments.run, work, names);
}

void add_check_options(Verb& verb, HotArguments& arguments) {
  verb.add_flag(
      "--no-direct-clients", arguments.no_direct_clients,
      "say that all clients ask a MetaProxy, and none the source's meta servers, which do "
      "not tell who asks them; without it a question on a terminal, else the checks fail");
  verb.add_option("--wait-for-restart", arguments.restart_within,
                  "where servers lack an id or an address, print the lines to add and wait for so "
                  "long, for instance 1h, until all servers were restarted with them");
  verb.add_option(
      "--measure", arguments.measured_for,
      "how long the checks watch what clients write; default: 10s, of an embedded source "
      "1s");
  verb.add_option("--ship-rate", arguments.ships_per_second,
                  "writes/s that a real source can ship one by one; where clients write faster, "
                  "writes are shipped in batches, and the cutover compares and repairs the tables "
                  "under --fence writes")
      ->capture_default_str()
      ->in_range(int64_t(1), int64_t(1'000'000'000));
}

void add_cutover_options(Verb& verb, HotArguments& arguments) {
  verb.add_flag("--auto", arguments.cuts_over_alone,
                "cut over as soon as the target has nearly everything, instead of waiting for "
                "`pegmove cutover`; needs --no-direct-clients");
  verb.add_option("--fence", arguments.fence,
                  "what the source denies during the cutover: all, or writes, so that reads stay "
                  "open and may be out of date")
      ->capture_default_str();
  verb.add_option("--order", arguments.order,
                  "fence-first, or routes-first, as in Pegasus's documentation: nothing waits, and "
                  "acknowledged writes may be lost")
      ->capture_default_str();
  verb.add_flag("--accept-lost-writes", arguments.accepts_lost_writes, "with --order routes-first");
  verb.add_option("--max-write-hold", arguments.max_write_hold,
                  "how long requests may wait during the cutover before the source serves again; "
                  "default: 5s between embedded clusters, else 90s, since real servers act on app "
                  "envs within 30 s; longer where the tables are compared meanwhile");
  verb.add_option("--most-lag", arguments.most_lag,
                  "mutations that the target may lack when the cutover begins")
      ->capture_default_str()
      ->in_range(int64_t(0), int64_t(1'000'000'000));
}

void add_other_count_options(Verb& verb, HotArguments& arguments) {
  constexpr const char* kOtherCount = "To another partition count";
  verb.add_option("--partitions", arguments.partitions,
                  "partitions of the target table; default: as many as the source has")
      ->in_range(1, 1 << 16)
      ->group(kOtherCount);
  verb.add_option("--relay", arguments.relay,
                  "name of the relay to the target in the source's [pegasus.clusters]")
      ->group(kOtherCount);
  verb.add_option("--relay-back", arguments.relay_back,
                  "name of the relay back to the source in the target's [pegasus.clusters]")
      ->group(kOtherCount);
  verb.add_flag("--no-way-back", arguments.no_way_back,
                "instead of --relay-back: there is no rollback after the cutover")
      ->group(kOtherCount);
  verb.add_option("--relay-root", arguments.relay_root,
                  "node of ZooKeeper below which relays say what they own")
      ->capture_default_str()
      ->group(kOtherCount);
  verb.add_option(
          "--store", arguments.store,
          "for the older rows: a [block_service.NAME] in the configuration of both clusters "
          "and of pegmove")
      ->group(kOtherCount);
  verb.add_option("--path", arguments.path, "a folder in the store; default: its root")
      ->group(kOtherCount);
  add_machine_options(verb, arguments.machine);
}

}  // namespace

void add_hot_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<HotArguments>();
  auto* verb = program.add_verb(
      "hot",
      "Example: pegmove hot --from A --to B --table t --zookeeper 10.0.0.9:2181 --zk-root "
      "/pegasus-cluster --proxies 10.0.2.1:34601 --no-direct-clients --auto\n\n"
      "Moves a table to another cluster while clients use it, without a change in the "
      "application: they ask a MetaProxy where their table is. A duplication brings the rows that "
      "there are and all that is written; both tables are compared live, and repaired; then the "
      "source is fenced, the target is proven to have everything, and the node in ZooKeeper is "
      "switched. If that does not end in time, the source serves again (exit code 6).\n\n"
      "The preflight checks tell what is missing: both clusters need both ids in "
      "[duplication-group] and each other's address in [pegasus.clusters]; with --wait-for-restart "
      "1h the run waits until the servers were restarted with them. INCR and CHECK_AND_* are "
      "refused "
      "from the beginning until `pegmove complete`. --dry-run --json shows the findings and the "
      "measured writes, too.\n\n"
      "To another partition count: pegmove hot ... --partitions 16 --relay relayB --relay-back "
      "relayA --store disk. A relay for each direction (`pegmove relay`, started when the run asks "
      "for it) takes what is written to the table of the other count; the older rows are moved as "
      "files, behind it, by backup, split and bulk load.\n\n"
      "The run waits for `pegmove cutover ID` (or --auto), then for `pegmove complete ID` or "
      "`pegmove rollback ID`: what clients write to the target is duplicated back. "
      "docs/hot-migration.md is the guide.");
  verb->list_under(kMoving, "moves a table while clients use it: duplicates it, and cuts over");
  verb->add_option("--from", arguments->from,
                   "source cluster: a name in the config file, or host:port,...")
      ->required();
  verb->add_option("--to", arguments->to, "target cluster, named as --from")->required();
  verb->add_option("--table", arguments->table, "table to move")->required();
  verb->add_option("--to-table", arguments->to_table,
                   "name of the target table; default: the same, which clients behind a MetaProxy "
                   "need");
  add_zookeeper_options(*verb, arguments->zookeeper);
  verb->add_option("--proxies", arguments->proxies,
                   "all MetaProxies that clients ask: host:port,...");
  verb->add_option("--replicas", arguments->replicas,
                   "replicas of the target table; default: as many as the source has")
      ->in_range(1, 1024);
  add_check_options(*verb, *arguments);
  add_other_count_options(*verb, *arguments);
  add_cutover_options(*verb, *arguments);
  verb->add_flag("--open-source-for-reverse", arguments->opens_source,
                 "open the source when all MetaProxies send their clients to the target, so that "
                 "what these write is shipped back at once; a client that still knows the "
                 "source's servers can write there then");
  verb->add_flag("--drop-source", arguments->drops_source,
                 "drop the source table when the run is completed");
  verb->add_flag("--drop-target", arguments->drops_target,
                 "drop the target table when the run is cancelled");
  add_run_options(*verb, arguments->run);
  verb->callback([arguments, &exit_code] { exit_code = move_hot(*arguments); });
}

}  // namespace pegmove::apps
