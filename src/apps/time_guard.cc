#include "apps/time_guard.h"

#include <fmt/format.h>

#include <cstdio>

#include "apps/process_ports.h"
#include "base/units.h"
#include "migration/hot/cluster_side.h"
#include "migration/hot/time_guard.h"

namespace pegmove::apps {
namespace {

namespace hot = migration::hot;

struct GuardedSide {
  std::unique_ptr<hot::ClusterSide> side;
  routes::Route route;
};

Task<GuardedSide> open_guarded(const migration::Ports& ports, std::string cluster,
                               std::string table) {
  const auto deadline = Deadline::in(ports.clock, ports.timeout);
  auto found = CO_TRY(co_await ports.connect(std::move(cluster)));
  const bool is_embedded = CO_TRY(co_await hot::is_embedded(*found, deadline));
  routes::Route route{.cluster = found->name(),
                      .metas = CO_TRY(net::parse_host_port_list(found->meta_list()))};
  co_return GuardedSide{.side = CO_TRY(co_await hot::ClusterSide::open(found, std::move(table),
                                                                       is_embedded, deadline)),
                        .route = std::move(route)};
}

Task<hot::GiveBackEnd> guard_table(const migration::Ports& ports, TimeGuardArguments arguments,
                                   hot::CutoverHooks hooks) {
  const auto longest =
      CO_TRY(in_context(base::parse_duration(arguments.longest), "--longest-hold"));
  const auto& to_table = arguments.to_table.empty() ? arguments.table : arguments.to_table;
  auto& nodes = *CO_TRY(ports.open_nodes(arguments.zookeeper.servers));
  const auto root = CO_TRY(zookeeper_root(arguments.zookeeper));
  auto source = CO_TRY(co_await open_guarded(ports, arguments.from, arguments.table));
  auto target = CO_TRY(co_await open_guarded(ports, arguments.to, to_table));
  const hot::CutoverPlan plan{.path = CO_TRY(routes::node_path(root, arguments.table)),
                              .from = std::move(source.route),
                              .to = std::move(target.route)};
  std::printf("guarding node %s: a fence that stays for %s is given back\n", plan.path.c_str(),
              base::format_duration(longest).c_str());
  std::fflush(stdout);
  co_return co_await hot::guard_by_time({*source.side, *target.side, nodes, ports.clock}, plan,
                                        longest, std::move(hooks));
}

Result<void> check_arguments(const TimeGuardArguments& arguments) {
  for (const auto& [name, value] : {std::pair("--from", &arguments.from),
                                    {"--to", &arguments.to},
                                    {"--table", &arguments.table}})
    if (value->empty())
      return fail(Code::kInvalidArgument,
                  fmt::format("{} is missing: give the id of a run whose journal is here, or "
                              "--from, --to, --table and --zookeeper",
                              name));
  TRY(in_context(base::parse_duration(arguments.longest), "--longest-hold"));
  TRY(zookeeper_servers(arguments.zookeeper));
  TRY(zookeeper_root(arguments.zookeeper));
  return {};
}

}  // namespace

void add_time_guard_options(Verb& verb, TimeGuardArguments& arguments) {
  constexpr const char* kElsewhere = "On another host, without the journal";
  verb.add_option("--from", arguments.from, "the source of the migration")->group(kElsewhere);
  verb.add_option("--to", arguments.to, "its target")->group(kElsewhere);
  verb.add_option("--table", arguments.table, "the table")->group(kElsewhere);
  verb.add_option("--to-table", arguments.to_table, "its name on the target; default: the same")
      ->group(kElsewhere);
  verb.add_option("--longest-hold", arguments.longest,
                  "give back a fence that has been there for longer; must be longer than the "
                  "--max-write-hold of the run")
      ->capture_default_str()
      ->group(kElsewhere);
  add_zookeeper_options(verb, arguments.zookeeper);
}

int guard_by_time(const RunArguments& arguments, const TimeGuardArguments& guarded) {
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  if (auto checked = check_arguments(guarded); !checked) return report(checked.error(), kUsage);
  const ProcessPorts ports(**run, arguments.state);
  const hot::CutoverHooks hooks{.warn =
                                    [](const std::string& text) {
                                      std::fprintf(stderr, "pegmove guard: %s\n", text.c_str());
                                    },
                                .abandoned = [&run] { return (*run)->stop().requested(); }};
  const auto ended = (*run)->wait_for(guard_table(ports.get(), guarded, hooks));
  if (!ended) return report(ended.error());
  std::fprintf(stderr, "pegmove guard: %s\n", ended->says.c_str());
  return ended->end == hot::GaveBack::kSourceServes ? kGivenBack : kFailed;
}

}  // namespace pegmove::apps
