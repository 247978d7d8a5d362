#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/cluster_config.h"
#include "apps/command.h"
#include "apps/die_at.h"
#include "backup/layout.h"
#include "base/json_text.h"
#include "base/standard_streams.h"
#include "base/units.h"
#include "server/cluster/cluster_process.h"

namespace pegmove::apps {
namespace {

using server::cluster::ClusterFolder;
using server::cluster::EmbeddedClusterOptions;
using server::cluster::RunningCluster;

struct StartArguments {
  std::string name, listen = "127.0.0.1", data, config;
  int meta_port = 34601, replica_port = -1;
  int replica_servers = 3;  // Pegasus's tools create tables with three replicas
  bool detach = false, sync = false, real_write_cost = false;
  bool retry_refused_duplicates = false;
  bool background = false;         // started by --detach
  std::string die_at;              // "STEP" or "STEP:N": for tests
  bool backups_never_end = false;  // for tests
};

struct FolderArguments {
  std::string data;
  bool json = false;
};

std::string describe(const RunningCluster& cluster) {
  std::string replicas;
  for (const auto& replica : cluster.replicas) replicas += (replicas.empty() ? "" : " ") + replica;
  return fmt::format("cluster {}: meta {}, replica servers {}, process {}", cluster.name,
                     cluster.meta, replicas, cluster.pid);
}

struct Bounds {
  int64_t least, most;
};

// Leaves `value` unchanged when the file does not set it.
Result<void> take_number(IniSections& ini, const std::string& section, const std::string& name,
                         Bounds bounds, size_t& value) {
  auto found = ini[section].find(name);
  if (found == ini[section].end()) return {};
  value = size_t(TRY(in_context(base::parse_integer(found->second, bounds.least, bounds.most),
                                fmt::format("[{}] {}", section, name))));
  return {};
}

// Each store is opened once here, so that a wrong setting is reported at the start and not at the
// first backup.
Result<void> take_block_services(IniSections& ini, EmbeddedClusterOptions& options) {
  options.providers = TRY(block_services(ini));
  async::SystemClock clock;
  for (const auto& [name, provider] : options.providers)
    TRY(blockstore::open_store(provider, clock));
  options.cold_backup_root = ini["replication"]["cold_backup_root"];
  if (!options.cold_backup_root.empty())
    TRY(in_context(backup::root_of("", options.cold_backup_root),
                   "[replication] cold_backup_root"));
  return {};
}

Result<EmbeddedClusterOptions> cluster_options(const StartArguments& arguments) {
  if (arguments.name.empty() || arguments.name.find_first_of(" \t/\"'") != std::string::npos)
    return fail(
        Code::kInvalidArgument,
        fmt::format(
            "--name '{}' is not valid: a name is not empty and has no space, tab, slash or quote",
            arguments.name));
  auto replica_port = arguments.replica_port >= 0 ? arguments.replica_port
                      : arguments.meta_port == 0  ? 0
                                                  : arguments.meta_port + 200;
  if (replica_port + arguments.replica_servers > 65536)
    return fail(Code::kInvalidArgument,
                "the replica servers would need ports over 65535; give a lower --replica-port");
  EmbeddedClusterOptions options{
      .name = arguments.name,
      .data_dir = arguments.data,
      .listen_ipv4 = TRY(in_context(net::parse_ipv4(arguments.listen), "--listen")),
      .meta_port = uint16_t(arguments.meta_port),
      .replica_port = uint16_t(replica_port),
      .replica_servers = arguments.replica_servers,
      .sync_writes = arguments.sync};
  if (options.listen_ipv4 == 0)
    return fail(Code::kInvalidArgument,
                "--listen 0.0.0.0: clients cannot connect to this address; give an address of this "
                "machine");
  if (arguments.real_write_cost) options.write_cost.emplace();
  options.refuses_duplicates_for_now = arguments.retry_refused_duplicates;
  options.on_failpoint = TRY(die_at(arguments.die_at));
  options.backups_never_end = arguments.backups_never_end;
  if (arguments.config.empty()) return options;
  auto ini = TRY(read_ini(arguments.config));
  TRY(take_number(ini, "replication", "max_allowed_write_size", {0, 1 << 30},
                  options.max_request_size));
  TRY(take_number(ini, "network", "max_connections", {1, 1 << 20}, options.max_connections));
  TRY(take_block_services(ini, options));
  options.duplication_group =
      TRY(in_context(duplication_group(ini, arguments.name), arguments.config));
  options.clusters = TRY(in_context(remote_clusters(ini), arguments.config));
  return options;
}

// `is_unheard`: the cluster was ended since it could not be said that it is ready.
Result<void> serve(const StartArguments& arguments, bool& is_unheard) {
  auto options = TRY(cluster_options(arguments));
  if (options.listen_ipv4 >> 24 != 127)
    Logger("cluster=" + options.name)
        .warning(
            fmt::format("listening on {}: everybody who can reach this address can read and write",
                        arguments.listen));
  return server::cluster::serve(
      std::move(options), [&](const RunningCluster& running) -> Result<void> {
        if (arguments.background) return server::cluster::let_go(describe(running), arguments.data);
        std::printf("%s\nready; Ctrl-C stops it\n", describe(running).c_str());
        auto printed = base::flush_standard_output();
        is_unheard = !printed;
        return printed;
      });
}

// The same arguments without --detach.
std::vector<std::string> words_for_background(const StartArguments& arguments) {
  std::vector<std::string> words{"cluster",
                                 "start",
                                 "--background",
                                 "--name",
                                 arguments.name,
                                 "--listen",
                                 arguments.listen,
                                 "--data",
                                 arguments.data,
                                 "--meta-port",
                                 std::to_string(arguments.meta_port),
                                 "--replica-servers",
                                 std::to_string(arguments.replica_servers)};
  if (arguments.replica_port >= 0)
    words.push_back("--replica-port=" + std::to_string(arguments.replica_port));
  if (!arguments.config.empty()) words.insert(words.end(), {"--config", arguments.config});
  if (arguments.sync) words.push_back("--sync");
  if (arguments.real_write_cost) words.push_back("--real-write-cost");
  if (arguments.retry_refused_duplicates) words.push_back("--retry-refused-duplicates");
  if (!arguments.die_at.empty()) words.push_back("--die-at=" + arguments.die_at);
  if (arguments.backups_never_end) words.push_back("--backups-never-end");
  return words;
}

int start_detached(const StartArguments& arguments) {
  auto started = server::cluster::start_in_background(words_for_background(arguments));
  if (!started) return report(started.error());
  if (started->line.empty()) return started->exit_code > 0 ? started->exit_code : int(kFailed);
  std::printf("%s\nlog: %s; stop it with `pegmove cluster stop --data %s`\n", started->line.c_str(),
              ClusterFolder::log_path(arguments.data).c_str(), arguments.data.c_str());
  return kDone;
}

int start(const StartArguments& arguments) {
  if (arguments.detach) return start_detached(arguments);
  bool is_unheard = false;
  auto served = serve(arguments, is_unheard);
  if (served) return kDone;
  if (is_unheard) return report(served.error());
  auto code = served.error().code();
  return report(served.error(), code == Code::kInvalidArgument ? kUsage : kPreflightFailed);
}

int stop(const FolderArguments& arguments) {
  auto stopped = ClusterFolder::stop(arguments.data);
  if (!stopped) return report(stopped.error());
  std::printf("%s\n", *stopped ? "stopped" : "was not running");
  return kDone;
}

int status(const FolderArguments& arguments) {
  auto running = ClusterFolder::running(arguments.data);
  if (!running) return report(running.error());
  if (arguments.json) {
    nlohmann::ordered_json out{{"running", running->has_value()}};
    if (*running) {
      out["name"] = (*running)->name;
      out["pid"] = (*running)->pid;
      out["meta"] = (*running)->meta;
      out["replicas"] = (*running)->replicas;
    }
    std::printf("%s\n", base::json_text(out, 2).c_str());
  } else {
    std::printf("%s\n", *running ? describe(**running).c_str() : "not running");
  }
  return *running ? kDone : kFailed;
}

void add_start(Verb& cluster, int& exit_code) {
  auto arguments = std::make_shared<StartArguments>();
  auto* verb = cluster.add_verb(
      "start",
      "Example: pegmove cluster start --name A --meta-port 34601 --data /tmp/A --detach\n\n"
      "Runs a cluster on a data folder, which is created when it does not exist. Acknowledged "
      "writes survive a kill of the process; with --sync also a power cut.\n\n"
      "The data of a partition is kept once. A table of several replicas has secondaries all the "
      "same: other replica servers of the cluster, which answer from the same data.");
  verb->list_under(kVerbs, "runs a cluster on a data folder");
  verb->add_option("--name", arguments->name, "name of the cluster")->required();
  verb->add_option("--data", arguments->data, "data folder")->required();
  verb->add_option("--listen", arguments->listen, "IPv4 address to listen on")
      ->capture_default_str();
  verb->add_option("--meta-port", arguments->meta_port, "port of the meta server; 0: any free port")
      ->capture_default_str()
      ->in_range(0, 65535);
  verb->add_option("--replica-port", arguments->replica_port,
                   "port of the first replica server, the others get the following ports; default: "
                   "meta port + 200")
      ->in_range(0, 65535);
  verb->add_option("--replica-servers", arguments->replica_servers,
                   "number of replica servers: a table has at most as many replicas, and tools of "
                   "Pegasus create tables with 3")
      ->capture_default_str()
      ->in_range(1, 64);
  verb->add_option("--config", arguments->config,
                   "INI file; [replication] max_allowed_write_size and cold_backup_root, [network] "
                   "max_connections, [duplication-group], [pegasus.clusters] (the clusters to "
                   "which tables may be duplicated) and [block_service.NAME] are used");
  verb->add_flag("--detach", arguments->detach,
                 "run in the background; the command returns when the cluster serves");
  verb->add_flag("--sync", arguments->sync, "wait for the disk on each write");
  verb->add_flag(
      "--real-write-cost", arguments->real_write_cost,
      "for tests and rehearsals: writes take as long as in a cluster with three replicas "
      "on two cores: 0.25 ms for each mutation and 0.033 ms for each request, one after "
      "the other");
  verb->add_flag(
      "--retry-refused-duplicates", arguments->retry_refused_duplicates,
      "answer a refused write of another cluster (an id that is not in [duplication-group], this "
      "cluster's own id, a time in the future) with an error that the source repeats each second; "
      "the servers of a real source abort on the usual error");
  verb->add_flag("--background", arguments->background)->group("");
  verb->add_option("--die-at", arguments->die_at)->group("");
  verb->add_flag("--backups-never-end", arguments->backups_never_end)->group("");
  verb->callback([arguments, &exit_code] { exit_code = start(*arguments); });
}

}  // namespace

void add_cluster_command(Verb& program, int& exit_code) {
  auto* cluster =
      program.add_verb("cluster",
                       "Example: pegmove cluster start --name A --data /tmp/A --detach\n\n"
                       "Runs the embedded cluster: a Pegasus cluster in one process, for "
                       "trials, rehearsals and tests.");
  cluster->list_under(kThingsThatStayUp, "runs the embedded cluster: start, stop, status");
  add_start(*cluster, exit_code);
  auto stop_arguments = std::make_shared<FolderArguments>();
  auto* stop_verb =
      cluster->add_verb("stop", "Example: pegmove cluster stop --data /tmp/A\n\nStops a cluster.");
  stop_verb->list_under(kVerbs, "stops a cluster");
  stop_verb->add_option("--data", stop_arguments->data, "data folder")->required();
  stop_verb->callback([stop_arguments, &exit_code] { exit_code = stop(*stop_arguments); });
  auto status_arguments = std::make_shared<FolderArguments>();
  auto* status_verb =
      cluster->add_verb("status",
                        "Example: pegmove cluster status --data /tmp/A\n\n"
                        "Shows whether a cluster runs. Exit code 0: running; 1: not running.");
  status_verb->list_under(kVerbs, "shows whether a cluster runs");
  status_verb->add_option("--data", status_arguments->data, "data folder")->required();
  status_verb->add_flag("--json", status_arguments->json, "print the result as JSON");
  status_verb->callback([status_arguments, &exit_code] { exit_code = status(*status_arguments); });
}

}  // namespace pegmove::apps
