// Tables: what they are and how they are.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <ostream>

#include "shell/handlers.h"
#include "shell/host_name.h"
#include "shell/report.h"
#include "shell/session.h"
#include "shell/words.h"

namespace pegmove::shell {
namespace {

using client::PartitionInfo;
using client::TableConfig;
using client::TableInfo;

constexpr OptionSpec kAppOptions[] = {
    {'d', "detailed"}, {'r', "resolve_ip"}, {'o', "output", true}, {'j', "json"}};
constexpr OptionSpec kLsOptions[] = {{'a', "all"},
                                     {'d', "detailed"},
                                     {'j', "json"},
                                     {'o', "output", true},
                                     {'s', "status", true},
                                     {'p', "app_name_pattern", true},
                                     {'m', "match_type", true}};
constexpr std::string_view kStatuses[] = {"all", "available", "creating", "dropping", "dropped"};
constexpr std::string_view kMatchTypes[] = {"all", "exact", "anywhere", "prefix", "postfix"};

int replicas_of(const PartitionInfo& partition) {
  return int(partition.secondaries.size()) + (partition.primary.port != 0 ? 1 : 0);
}

// How many partitions are how healthy (Pegasus: src/shell/commands/table_management.cpp).
struct Health {
  int fully = 0;
  int unhealthy = 0;
  int write_unhealthy = 0;
  int read_unhealthy = 0;
};

Health health_of(const TableConfig& config) {
  Health health;
  for (const auto& partition : config.partitions) {
    bool has_primary = partition.primary.port != 0;
    bool is_full = has_primary && replicas_of(partition) >= partition.max_replica_count;
    ++(is_full ? health.fully : health.unhealthy);
    if (!has_primary || (!is_full && replicas_of(partition) < 2)) ++health.write_unhealthy;
    if (!has_primary) ++health.read_unhealthy;
  }
  return health;
}

// ---- app

Table replicas_table(const TableConfig& config, bool resolve) {
  auto table = Table::with_columns(
      "replicas", {{"pidx"}, {"ballot"}, {"replica_count"}, {"primary"}, {"secondaries"}});
  for (size_t i = 0; i < config.partitions.size(); ++i) {
    const auto& partition = config.partitions[i];
    std::string secondaries;
    for (const auto& node : partition.secondaries)
      secondaries += (secondaries.empty() ? "" : ",") + node_text(node, resolve);
    table.add_row({std::to_string(i), std::to_string(partition.ballot),
                   fmt::format("{}/{}", replicas_of(partition), partition.max_replica_count),
                   node_text(partition.primary, resolve), "[" + secondaries + "]"});
  }
  return table;
}

Table nodes_of_table(const TableConfig& config, bool resolve) {
  std::map<std::string, std::pair<int, int>> counts;  // of primaries and secondaries
  int primaries = 0, secondaries = 0;
  for (const auto& partition : config.partitions) {
    if (partition.primary.port != 0) {
      ++counts[node_text(partition.primary, resolve)].first;
      ++primaries;
    }
    for (const auto& node : partition.secondaries) {
      ++counts[node_text(node, resolve)].second;
      ++secondaries;
    }
  }
  auto table = Table::with_columns("nodes", {{"node"}, {"primary"}, {"secondary"}, {"total"}});
  auto add = [&](const std::string& name, int primary, int secondary) {
    table.add_row({name, std::to_string(primary), std::to_string(secondary),
                   std::to_string(primary + secondary)});
  };
  for (const auto& [name, count] : counts) add(name, count.first, count.second);
  add("", primaries, secondaries);
  return table;
}

Table healthy_table(const Health& health) {
  auto table = Table::with_values("healthy");
  table.add_value("fully_healthy_partition_count", std::to_string(health.fully));
  table.add_value("unhealthy_partition_count", std::to_string(health.unhealthy));
  table.add_value("write_unhealthy_partition_count", std::to_string(health.write_unhealthy));
  table.add_value("read_unhealthy_partition_count", std::to_string(health.read_unhealthy));
  return table;
}

TableSet app_tables(const std::string& name, const TableConfig& config, const Options& options) {
  bool detailed = options.has('d');
  TableSet tables;
  auto parameters = Table::with_values("parameters");
  parameters.add_value("app_name", name);
  if (options.has('o')) parameters.add_value("out_file", options.text('o'));
  parameters.add_value("detailed", text_of(detailed));
  tables.add(std::move(parameters));
  auto general = Table::with_values("general");
  general.add_value("app_name", name);
  general.add_value("app_id", std::to_string(config.app_id));
  general.add_value("partition_count", std::to_string(config.partition_count));
  general.add_value("max_replica_count",
                    std::to_string(config.partitions.front().max_replica_count));
  tables.add(std::move(general));
  if (!detailed) return tables;
  tables.add(replicas_table(config, options.has('r')));
  tables.add(nodes_of_table(config, options.has('r')));
  tables.add(healthy_table(health_of(config)));
  return tables;
}

// ---- ls

struct ListOptions {
  std::string status = "available";
  std::string pattern;
  std::string match = "all";
  bool detailed = false;
};

Result<ListOptions> parse_list_options(const Options& options) {
  if (!options.rest().empty())
    return fail(Code::kInvalidArgument, "unknown param " + options.rest().front());
  ListOptions list;
  list.detailed = options.has('d');
  list.pattern = options.text('p');
  if (options.has('a')) list.status = "all";
  if (options.has('s')) list.status = options.text('s');
  if (options.has('m')) list.match = options.text('m');
  if (std::ranges::find(kStatuses, list.status) == std::end(kStatuses))
    return fail(Code::kInvalidArgument,
                fmt::format("parse {} as app_status::type failed", list.status));
  if (std::ranges::find(kMatchTypes, list.match) == std::end(kMatchTypes))
    return fail(Code::kInvalidArgument, "invalid match_type " + list.match);
  return list;
}

std::string short_status(const TableInfo& table) {
  return table.status.starts_with("AS_") ? table.status.substr(3) : table.status;
}

bool is_listed(const TableInfo& table, const ListOptions& list) {
  const auto& [name, pattern] = std::pair(table.name, list.pattern);
  if (list.match == "exact" && name != pattern) return false;
  if (list.match == "anywhere" && !name.contains(pattern)) return false;
  if (list.match == "prefix" && !name.starts_with(pattern)) return false;
  if (list.match == "postfix" && !name.ends_with(pattern)) return false;
  if (list.status == "all") return true;
  return std::ranges::equal(short_status(table), list.status,
                            [](char upper, char lower) { return std::tolower(upper) == lower; });
}

// In the local time zone.
std::string time_text(int64_t unix_seconds) {
  if (unix_seconds <= 0) return "-";
  auto seconds = std::time_t(unix_seconds);
  std::tm local{};
  char text[32];
  if (!localtime_r(&seconds, &local)) return "-";
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d_%H:%M:%S", &local)};
}

Table general_info(const std::vector<TableInfo>& tables) {
  std::vector<Column> columns;
  for (const char* name : {"app_id", "status", "app_name", "app_type", "partition_count",
                           "replica_count", "is_stateful", "create_time", "drop_time",
                           "drop_expire", "envs_count", "atomic_idempotent"})
    columns.push_back({name});
  auto general = Table::with_columns("general_info", std::move(columns));
  for (const auto& table : tables) {
    bool is_dropped = table.status == "AS_DROPPED";
    general.add_row({std::to_string(table.app_id), short_status(table), table.name, table.type,
                     std::to_string(table.partition_count), std::to_string(table.replica_count),
                     text_of(table.is_stateful), time_text(table.create_second),
                     is_dropped ? time_text(table.drop_second) : "-",
                     is_dropped ? time_text(table.expire_second) : "-",
                     std::to_string(table.envs.size()), text_of(table.atomic_idempotent)});
  }
  return general;
}

Table healthy_info(const std::vector<std::pair<TableInfo, Health>>& tables) {
  auto info = Table::with_columns("healthy_info", {{"app_id"},
                                                   {"app_name"},
                                                   {"partition_count"},
                                                   {"fully_healthy"},
                                                   {"unhealthy"},
                                                   {"write_unhealthy"},
                                                   {"read_unhealthy"}});
  for (const auto& [table, health] : tables)
    info.add_row({std::to_string(table.app_id), table.name, std::to_string(table.partition_count),
                  std::to_string(health.fully), std::to_string(health.unhealthy),
                  std::to_string(health.write_unhealthy), std::to_string(health.read_unhealthy)});
  return info;
}

void add_healthy_summary(const std::vector<std::pair<TableInfo, Health>>& tables, Table& summary) {
  auto count = [&](auto is_counted) {
    return std::to_string(
        std::ranges::count_if(tables, [&](const auto& table) { return is_counted(table.second); }));
  };
  summary.add_value("fully_healthy_app_count",
                    count([](const Health& health) { return health.unhealthy == 0; }));
  summary.add_value("unhealthy_app_count",
                    count([](const Health& health) { return health.unhealthy > 0; }));
  summary.add_value("write_unhealthy_app_count",
                    count([](const Health& health) { return health.write_unhealthy > 0; }));
  summary.add_value("read_unhealthy_app_count",
                    count([](const Health& health) { return health.read_unhealthy > 0; }));
}

Task<TableSet> list_tables(std::shared_ptr<client::Cluster> cluster, ListOptions list,
                           Deadline deadline) {
  auto which =
      list.status == "available" ? client::ListedTables::kAvailable : client::ListedTables::kAll;
  auto tables = CO_TRY(co_await cluster->tables(which, deadline));
  std::erase_if(tables, [&](const TableInfo& table) { return !is_listed(table, list); });
  std::ranges::sort(tables, {}, &TableInfo::app_id);
  TableSet set;
  set.add(general_info(tables));
  auto summary = Table::with_values("summary");
  // Of those listed, the available ones alone count, as in Pegasus.
  auto available = std::ranges::count(tables, "AS_AVAILABLE", &TableInfo::status);
  summary.add_value("total_app_count", std::to_string(available));
  if (list.detailed && available > 0) {
    std::vector<std::pair<TableInfo, Health>> healths;
    for (const auto& table : tables) {
      if (table.status != "AS_AVAILABLE") continue;
      auto config = co_await cluster->table_config(table.name, {}, deadline);
      if (!config && config.error().code() == Code::kNotFound) continue;  // dropped meanwhile
      if (!config) co_return fail(std::move(config).error());
      healths.emplace_back(table, health_of(*config));
    }
    set.add(healthy_info(healths));
    add_healthy_summary(healths, summary);
  }
  set.add(std::move(summary));
  co_return set;
}

}  // namespace

Outcome run_app(Session& session, Words words) {
  auto options = Options::parse(words, kAppOptions);
  if (!options) return wrong_usage(session, options.error());
  if (options->rest().size() != 1) return Outcome::kWrongUsage;
  const auto& name = options->rest().front();
  auto config = session.run(session.cluster()->table_config(name, {}, session.meta_deadline()));
  if (!config) {
    session.err() << "query app " << name << " failed, error=" << meta_error_text(config.error())
                  << "\n";
    return Outcome::kFailed;
  }
  return print_tables(session, app_tables(name, *config, *options), report_options(*options));
}

Outcome run_ls(Session& session, Words words) {
  auto options = Options::parse(words, kLsOptions);
  if (!options) return wrong_usage(session, options.error());
  auto list = parse_list_options(*options);
  if (!list) return wrong_usage(session, list.error());
  auto tables = session.run(list_tables(session.cluster(), *list, session.meta_deadline()));
  if (!tables) {
    session.err() << "list apps failed, error=" << meta_error_text(tables.error()) << "\n";
    return Outcome::kFailed;
  }
  return print_tables(session, *tables, report_options(*options));
}

}  // namespace pegmove::shell
