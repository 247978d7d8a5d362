// The remote commands, settings and gauges of the meta server. Pegasus: meta_service.cpp,
// server_state.cpp, partition_guardian.cpp, greedy_load_balancer.cpp, app_balance_policy.cpp,
// load_balance_policy.cpp. There is nothing to balance here: balancer settings are stored and
// shown.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/text.h"
#include "net/address.h"
#include "server/meta/catalog/catalog_json.h"
#include "server/meta/meta_service.h"

namespace pegmove::server::meta {
namespace {

using nlohmann::json;
using service::SettingType;
using Arguments = service::RemoteCommands::Arguments;

std::string pretty(const json& reply) { return base::json_text(reply, 2, base::NoUtf8::kReplace); }

template <typename Set>
std::string joined(const Set& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

std::string balance_operations(Arguments arguments) {
  json counts{{"move_pri", 0}, {"copy_pri", 0}, {"copy_sec", 0}, {"total", 0}};
  auto kind = arguments.empty() ? "total" : arguments[0];
  if (arguments.size() > 1 || (kind != "detail" && !counts.contains(kind)))
    return pretty({{"error", "invalid arguments"}});
  return pretty(kind == "detail" ? counts : json{{kind, 0}});
}

metrics::MetricInfo partitions_gauge(const char* name, const char* description) {
  return {.name = name,
          .kind = metrics::Kind::kGauge,
          .unit = "Partitions",
          .description = description};
}

}  // namespace

void MetaService::define_settings() {
  auto number = [this](const char* name, SettingType type, int64_t value, const char* description,
                       bool is_mutable) {
    operations_.settings.define({.section = "meta_server",
                                 .name = name,
                                 .type = type,
                                 .value = std::to_string(value),
                                 .description = description,
                                 .is_mutable = is_mutable});
  };
  auto flag = [this](const char* name, const char* description, bool is_mutable) {
    operations_.settings.define({.section = "meta_server",
                                 .name = name,
                                 .type = SettingType::kBool,
                                 .value = "false",
                                 .description = description,
                                 .is_mutable = is_mutable});
  };
  using enum SettingType;
  number("node_live_percentage_threshold_for_update", kInt32, 65,
         "Share of live nodes below which the cluster is not changed", false);
  number("replica_assign_delay_ms_for_dropouts", kInt64, 600'000,
         "Wait for a dropped replica to come back", false);
  number("add_secondary_max_count_for_one_node", kInt32, 10, "Replicas added to a node at once",
         false);
  number("hold_seconds_for_dropped_app", kInt32, kDefaultReserveSeconds,
         "How long the data of a dropped table is kept", false);
  number("max_allowed_replica_count", kInt32, 5, "Maximum replica count of a table", true);
  number("min_allowed_replica_count", kInt32, 1, "Minimum replica count of a table", true);
  number("bulk_load_max_rollback_times", kUint32, 10, "Rollbacks before a bulk load fails", true);
  number("bulk_load_node_max_ingesting_count", kUint32, 4, "Ingestions of a node at once", true);
  number("bulk_load_node_min_disk_count", kUint32, 1, "Minimum number of disks of a node", true);
  flag("bulk_load_verify_before_ingest", "Whether files are compared with their metadata", true);
  flag("enable_concurrent_bulk_load", "Whether several tables load at once", true);
  flag("add_secondary_enable_flow_control", "Whether adding secondaries is slowed down", false);
  flag("balancer_in_turn", "Whether tables are balanced one after the other", false);
  flag("only_primary_balancer", "Whether only primaries are balanced", false);
  flag("only_move_primary", "Whether primaries are only moved", false);
}

void MetaService::register_commands() {
  define_settings();
  auto& commands = operations_.commands;
  auto& settings = operations_.settings;
  commands.on_integer("meta.live_percentage", "node live percentage threshold for update", settings,
                      "node_live_percentage_threshold_for_update",
                      [](int64_t value) { return value >= 0 && value <= 100; });
  commands.on_integer("meta.lb.assign_delay_ms",
                      "control the replica_assign_delay_ms_for_dropouts config", settings,
                      "replica_assign_delay_ms_for_dropouts");
  commands.on_integer("meta.lb.add_secondary_max_count_for_one_node",
                      "control the max count to add secondary for one node", settings,
                      "add_secondary_max_count_for_one_node");
  commands.on_boolean("meta.lb.add_secondary_enable_flow_control",
                      "control whether enable add secondary flow control", settings,
                      "add_secondary_enable_flow_control");
  commands.on_boolean("meta.lb.balancer_in_turn", "control whether do app balancer in turn",
                      settings, "balancer_in_turn");
  commands.on_boolean("meta.lb.only_primary_balancer", "control whether do only primary balancer",
                      settings, "only_primary_balancer");
  commands.on_boolean("meta.lb.only_move_primary", "control whether only move primary in balancer",
                      settings, "only_move_primary");
  commands.on({"meta.lb.get_balance_operation_count"}, "Get balance operation count",
              "[total | move_pri | copy_pri | copy_sec | detail]", balance_operations);
  commands.on({"meta.lb.assign_secondary_black_list"}, "Control the assign secondary black list",
              "[host1:port,host2:port,...|clear]",
              [this](Arguments arguments) { return black_list(arguments); });
  commands.on({"meta.lb.ignored_app_list"}, "Get, set or clear balancer ignored_app_list",
              "<get|set|clear> [set_app_id1,set_app_id2,...]",
              [this](Arguments arguments) { return ignored_apps(arguments); });
  commands.on({"meta.dump"}, "Dump app_states of meta server to a local file", "<target_file>",
              [this](Arguments arguments) { return dump_tables(arguments); });
  register_backup_commands();
  register_load_commands();
  register_follower_commands();
}

std::string MetaService::black_list(Arguments arguments) {
  json reply{{"error", "ok"}};
  if (arguments.empty()) {
    reply["assign_secondary_black_list"] = joined(black_list_);
  } else if (arguments.size() > 1) {
    reply["error"] = "invalid argument, 0 or 1 argument is acceptable";
  } else if (arguments[0] == "clear") {
    black_list_.clear();
  } else {
    std::set<std::string> nodes;
    for (const auto& node : base::split(arguments[0], ',')) {
      if (!net::parse_host_port(node)) {
        reply["error"] = fmt::format("invalid argument, bad host:port '{}'", node);
        return pretty(reply);
      }
      nodes.insert(node);
    }
    if (nodes.empty())
      reply["error"] =
          "invalid argument, the argument should be in form of '<host:port,host:port,host:port>'";
    else
      black_list_ = std::move(nodes);
  }
  return pretty(reply);
}

std::string MetaService::ignored_apps(Arguments arguments) {
  auto what = arguments.empty() ? "" : arguments[0];
  if (what == "get") {
    std::vector<std::string> ids;
    for (auto id : ignored_apps_) ids.push_back(std::to_string(id));
    return pretty({{"ignored_app_id_list", joined(ids)}});
  }
  if (what == "clear") {
    ignored_apps_.clear();
    return pretty({{"error", "ok"}});
  }
  if (what != "set") return pretty({{"error", "invalid arguments"}});
  std::set<int32_t> ids;
  auto words = arguments.size() == 2 ? base::split(arguments[1], ',') : std::vector<std::string>();
  for (const auto& word : words) {
    int32_t id = 0;
    auto end = word.data() + word.size();
    auto [stop, error] = std::from_chars(word.data(), end, id);
    if (error != std::errc() || stop != end) return pretty({{"error", "invalid argument"}});
    ids.insert(id);
  }
  if (ids.empty()) return pretty({{"error", "invalid argument"}});
  ignored_apps_ = std::move(ids);
  return pretty({{"error", "ok"}});
}

std::string MetaService::dump_tables(Arguments arguments) const {
  if (arguments.size() != 1) return "ERR_INVALID_PARAMETERS";
  auto dumped = operations_.dump(arguments[0], catalog_.encoded());
  if (dumped) return "ERR_OK";
  return dumped.error().code() == Code::kInvalidArgument ? "ERR_INVALID_PARAMETERS"
                                                         : "ERR_FILE_OPERATION_FAILED";
}

// Live nodes, and the health of each table's partitions.
void MetaService::refresh_metrics() {
  using metrics::Kind;
  int64_t alive = 0, all = 0;
  for (const auto& node : nodes_.addresses()) {
    ++all;
    alive += node.is_alive;
  }
  auto& server = operations_.server();
  server.gauge({"alive_replica_servers", Kind::kGauge, "Servers", "Live nodes"}).set(alive);
  server.gauge({"unalive_replica_servers", Kind::kGauge, "Servers", "Nodes that are not alive"})
      .set(all - alive);
  decltype(table_metrics_) tables;
  for (const auto& [id, app] : catalog_.apps()) {
    if (!app.is_available()) continue;
    auto& entity = tables[id] = std::move(table_metrics_[id]);
    auto text = std::to_string(id);
    if (!entity) entity = operations_.metrics.add("table", "table@" + text, {{"table_id", text}});
    int64_t healthy = 0;
    for (int32_t index = 0; index < app.info.partition_count; ++index)
      healthy += is_served({id, index});
    entity->gauge(partitions_gauge("healthy_partitions", "With all replicas")).set(healthy);
    entity->gauge(partitions_gauge("dead_partitions", "Without a primary"))
        .set(app.info.partition_count - healthy);
    for (const char* name :
         {"unreadable_partitions", "unwritable_partitions", "writable_ill_partitions"})
      entity->gauge(partitions_gauge(name, "Always 0: all replicas of a partition are served"));
  }
  table_metrics_ = std::move(tables);
}

}  // namespace pegmove::server::meta
