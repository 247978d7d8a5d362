#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/preflight_options.h"
#include "base/json_text.h"

namespace pegmove::apps {
namespace {

using inspect::Severity;
using migration::Preflight;
using nlohmann::ordered_json;

struct CheckArguments {
  CommonOptions common;
  PreflightOptions preflight;
  std::string from, to, table, to_table;
};

ordered_json to_json(const inspect::SideFacts& side) {
  ordered_json out{{"cluster", side.cluster}, {"table", side.table}, {"exists", bool(side.info)}};
  if (side.info) {
    out["app_id"] = side.info->app_id;
    out["partitions"] = side.info->partition_count;
  }
  auto servers = ordered_json::array();
  for (const auto& node : side.nodes) {
    ordered_json server{{"address", node.node}};
    if (node.version) server["version"] = node.version->text;
    if (node.clock)
      server["clock_offset_ms"] = {node.clock->low_us / 1000, node.clock->high_us / 1000};
    servers.push_back(std::move(server));
  }
  out["servers"] = std::move(servers);
  return out;
}

ordered_json to_json(const Preflight& preflight) {
  const auto& method = preflight.result.method;
  ordered_json through{{"through", method.duplicate ? "duplicate" : "plain"},
                       {"reason", method.reason}};
  if (method.duplicate) through["cluster_id"] = method.duplicate->cluster_id;
  return {{"can_begin", preflight.can_begin()},
          {"source", to_json(preflight.inspection.source)},
          {"target", to_json(preflight.inspection.target)},
          {"way", std::move(through)},
          {"findings", inspect::to_json(preflight.result.findings.all)}};
}

void print_text(const Preflight& preflight) {
  const auto& findings = preflight.result.findings;
  for (const auto& line : inspect::to_lines(findings.all)) std::printf("%s\n", line.c_str());
  if (preflight.can_begin())
    std::printf("The copy can begin; rows would be written %s.\n",
                describe_write_method(preflight.result.method).c_str());
  else
    std::printf("The copy cannot begin: %d errors, %d warnings.\n",
                findings.count(Severity::kError), findings.count(Severity::kWarning));
}

int check_copy(const CheckArguments& arguments) {
  if (auto fits = check(arguments.preflight); !fits) return report(fits.error(), kUsage);
  auto run = CommandRun::start(arguments.common);
  if (!run) return report(run.error(), kUsage);
  if (auto known = (*run)->check_clusters({arguments.from, arguments.to}); !known)
    return report(known.error(), kUsage);
  (*run)->prepare();
  migration::CopyOptions options{
      .table = arguments.table, .to_table = arguments.to_table, .timeout = (*run)->timeout()};
  apply(arguments.preflight, options);
  auto preflight =
      (*run)->wait_for(look_before_copy(**run, arguments.from, arguments.to, std::move(options)));
  if (arguments.common.json)
    std::printf("%s\n", base::json_text(to_json(preflight), 2).c_str());
  else
    print_text(preflight);
  return preflight.can_begin() ? kDone : kPreflightFailed;
}

}  // namespace

void add_check_command(Verb& program, int& exit_code) {
  auto arguments = std::make_shared<CheckArguments>();
  auto* verb = program.add_verb(
      "check",
      "Example: pegmove check --from A --to B --table t --create --partitions 16\n\n"
      "Runs all preflight checks of a copy, with the same options, and shows how rows "
      "would be written; read-only. It reports all problems at once: servers that cannot "
      "be reached, tables that do not exist or are not empty, denied and throttled "
      "requests, access control, clocks that are too far apart, and what a copy would "
      "change in rows. Exit code 0: the copy can begin; 3: it cannot.");
  verb->list_under(kKnowingBefore, "runs all preflight checks of a copy; read-only");
  verb->add_option("--from", arguments->from,
                   "source cluster: a name in the config file, or host:port,...")
      ->required();
  verb->add_option("--to", arguments->to, "target cluster, named as --from")->required();
  verb->add_option("--table", arguments->table, "table to copy")->required();
  verb->add_option("--to-table", arguments->to_table,
                   "name of the target table; default: the same");
  add_preflight_options(*verb, arguments->preflight);
  add_common_options(*verb, arguments->common);
  verb->callback([arguments, &exit_code] { exit_code = check_copy(*arguments); });
}

}  // namespace pegmove::apps
