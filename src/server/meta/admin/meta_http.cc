// The HTTP handlers of the meta server. Pegasus: src/meta/meta_http_service.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "meta_types.h"
#include "server/meta/admin/http_body.h"
#include "server/meta/catalog/app_env_list.h"
#include "server/meta/meta_service.h"
#include "service/local_time.h"
#include "service/table_json.h"

namespace pegmove::server::meta {
namespace {

using service::bad_request;
using service::HttpQuery;
using service::local_date_time;
using service::not_found;
using service::TableJson;

constexpr const char* kNoName = "app name shouldn't be empty";

net::HttpReply reply(TableJson json) { return {.body = std::move(json).take()}; }

// Whether the request has no other arguments than these.
bool has_only(const HttpQuery& query, std::initializer_list<std::string_view> names) {
  return std::ranges::all_of(query.arguments, [&](const auto& argument) {
    return std::ranges::find(names, argument.first) != names.end();
  });
}

std::string host_port_text(const wire::host_port& node) {
  return fmt::format("{}:{}", node.host, node.port);
}

std::string flag(bool value) { return value ? "true" : "false"; }

std::string time_or_dash(int64_t unix_seconds) {
  return unix_seconds > 0 ? local_date_time(unix_seconds) + ".000" : "-";
}

int replicas_of(const wire::partition_configuration& partition) {
  return int(partition.hp_secondaries.size()) + (partition.hp_primary.is_set() ? 1 : 0);
}

// Of these partitions, by the names of the nodes.
struct ReplicaCounts {
  int primaries = 0, secondaries = 0;
};
using CountsByNode = std::map<std::string, ReplicaCounts>;

void count_replicas(const wire::query_cfg_response& table, CountsByNode& counts) {
  for (const auto& partition : table.partitions) {
    if (partition.hp_primary.is_set()) ++counts[host_port_text(partition.hp_primary)].primaries;
    for (const auto& node : partition.hp_secondaries) ++counts[host_port_text(node)].secondaries;
  }
}

// How many partitions are healthy. Pegasus: meta_http_service::list_app_handler.
struct Health {
  int64_t healthy = 0;
  int64_t write_unhealthy = 0;
  int64_t read_unhealthy = 0;
};

Health health_of(const wire::query_cfg_response& table) {
  Health health;
  for (const auto& partition : table.partitions) {
    const auto replicas = replicas_of(partition);
    const bool has_primary = partition.hp_primary.is_set();
    if (has_primary && replicas >= partition.max_replica_count) ++health.healthy;
    if (!has_primary || (replicas < partition.max_replica_count && replicas < 2))
      ++health.write_unhealthy;
    if (!has_primary) ++health.read_unhealthy;
  }
  return health;
}

struct CompactionOrder {
  std::string app_name;
  std::string type;
  std::string bottommost;
  std::string trigger_time;
  int32_t target_level = -1;
  int32_t most_running = 0;
};

Result<CompactionOrder> read_compaction_order(const base::JsonFields& in) {
  constexpr int64_t kLeast = INT32_MIN, kMost = INT32_MAX;
  return CompactionOrder{
      .app_name = TRY(in.text("app_name", "")),
      .type = TRY(in.text("type", "")),
      .bottommost = TRY(in.text("bottommost_level_compaction", "")),
      .trigger_time = TRY(in.text("trigger_time", "")),
      .target_level = int32_t(TRY(in.integer("target_level", kLeast, kMost, -1))),
      .most_running = int32_t(TRY(in.integer("max_concurrent_running_count", kLeast, kMost, 0)))};
}

// Errors: kInvalidArgument with Pegasus's text, spelling mistakes included.
Result<CompactionOrder> parse_compaction_order(const std::string& text) {
  auto refuse = [](const char* why) { return fail(Code::kInvalidArgument, why); };
  auto order = TRY(read_body(text, read_compaction_order));
  if (order.app_name.empty()) return refuse("app_name should not be empty");
  if (order.type != "once" && order.type != "periodic")
    return refuse("type should ony be 'once' or 'periodic'");
  if (order.target_level < -1) return refuse("target_level should be >= -1");
  if (order.bottommost != "skip" && order.bottommost != "force")
    return refuse("bottommost_level_compaction should ony be 'skip' or 'force'");
  if (order.most_running < 0) return refuse("max_running_count should be >= 0");
  if (order.type == "periodic" && order.trigger_time.empty())
    return refuse("trigger_time should not be empty when type is periodic");
  return order;
}

void add_replicas_table(TableJson& json, const wire::query_cfg_response& table) {
  json.begin_table("replicas");
  for (const auto& partition : table.partitions) {
    const bool has_primary = partition.hp_primary.is_set();
    std::string secondaries;
    for (const auto& node : partition.hp_secondaries)
      secondaries += (secondaries.empty() ? "" : ",") + host_port_text(node);
    json.row({"pidx", "ballot", "replica_count", "primary", "secondaries"},
             {std::to_string(partition.pid.id.partition_index), std::to_string(partition.ballot),
              fmt::format("{}/{}", replicas_of(partition), partition.max_replica_count),
              has_primary ? host_port_text(partition.hp_primary) : "-", "[" + secondaries + "]"});
  }
  json.end_table();
}

void add_nodes_table(TableJson& json, const wire::query_cfg_response& table) {
  CountsByNode counts;
  count_replicas(table, counts);
  ReplicaCounts total;
  auto row = [&](const std::string& node, ReplicaCounts of) {
    json.row({"node", "primary", "secondary", "total"},
             {node, std::to_string(of.primaries), std::to_string(of.secondaries),
              std::to_string(of.primaries + of.secondaries)});
  };
  json.begin_table("nodes");
  for (const auto& [node, of] : counts) {
    row(node, of);
    total.primaries += of.primaries;
    total.secondaries += of.secondaries;
  }
  row("total", total);
  json.end_table();
}

}  // namespace

wire::query_cfg_response MetaService::partitions_of(const std::string& table) const {
  wire::query_cfg_request request;
  request.app_name = table;
  return query_config(
      catalog_, request, nodes_.addresses(), [this](Gpid gpid) { return is_served(gpid); },
      HostPorts::kInclude);
}

net::HttpReply MetaService::http_app(const HttpQuery& query) const {
  if (!has_only(query, {"name", "detail"})) return bad_request("");
  const auto& name = query.argument("name");
  if (name.empty()) return bad_request(kNoName);
  auto table = partitions_of(name);
  if (table.err.code == wire::ErrorCode::kObjectNotFound)
    return not_found(fmt::format("table not found: \"{}\"", name));
  TableJson json;
  json.begin_table("general")
      .value("app_name", name)
      .value("app_id", table.app_id)
      .value("partition_count", table.partition_count)
      .value("max_replica_count",
             table.partitions.empty() ? 0 : table.partitions[0].max_replica_count)
      .end_table();
  if (query.arguments.contains("detail")) {
    add_replicas_table(json, table);
    add_nodes_table(json, table);
    auto health = health_of(table);
    json.begin_table("healthy")
        .value("fully_healthy_partition_count", health.healthy)
        .value("unhealthy_partition_count", table.partition_count - health.healthy)
        .value("write_unhealthy_partition_count", health.write_unhealthy)
        .value("read_unhealthy_partition_count", health.read_unhealthy)
        .end_table();
  }
  return reply(std::move(json));
}

net::HttpReply MetaService::http_apps(const HttpQuery& query) const {
  if (!has_only(query, {"detail"})) return bad_request("");
  std::vector<const AppRecord*> apps;
  for (const auto& [id, app] : catalog_.apps())
    if (app.is_available()) apps.push_back(&app);
  TableJson json;
  json.begin_table("general_info");
  for (const auto* app : apps) {
    const auto& info = app->info;
    json.row({"app_id", "status", "app_name", "app_type", "partition_count", "replica_count",
              "is_stateful", "create_time", "drop_time", "drop_expire", "envs_count"},
             {std::to_string(info.app_id), "AVAILABLE", info.app_name, info.app_type,
              std::to_string(info.partition_count), std::to_string(info.max_replica_count),
              flag(info.is_stateful), time_or_dash(info.create_second), "-", "-",
              std::to_string(info.envs.size())});
  }
  json.end_table();
  int64_t healthy = 0, write_unhealthy = 0, read_unhealthy = 0;
  bool detail = query.arguments.contains("detail") && !apps.empty();
  if (detail) {
    json.begin_table("healthy_info");
    for (const auto* app : apps) {
      auto health = health_of(partitions_of(app->info.app_name));
      auto unhealthy = app->info.partition_count - health.healthy;
      json.row({"app_id", "app_name", "partition_count", "fully_healthy", "unhealthy",
                "write_unhealthy", "read_unhealthy"},
               {std::to_string(app->info.app_id), app->info.app_name,
                std::to_string(app->info.partition_count), std::to_string(health.healthy),
                std::to_string(unhealthy), std::to_string(health.write_unhealthy),
                std::to_string(health.read_unhealthy)});
      healthy += unhealthy == 0;
      write_unhealthy += health.write_unhealthy > 0;
      read_unhealthy += health.read_unhealthy > 0;
    }
    json.end_table();
  }
  json.begin_table("summary").value("total_app_count", int64_t(apps.size()));
  if (detail)
    json.value("fully_healthy_app_count", healthy)
        .value("unhealthy_app_count", int64_t(apps.size()) - healthy)
        .value("write_unhealthy_app_count", write_unhealthy)
        .value("read_unhealthy_app_count", read_unhealthy);
  json.end_table();
  return reply(std::move(json));
}

net::HttpReply MetaService::http_nodes(const HttpQuery& query) const {
  if (!has_only(query, {"detail"})) return bad_request("");
  CountsByNode counts;
  for (const auto& [id, app] : catalog_.apps())
    if (app.is_available()) count_replicas(partitions_of(app.info.app_name), counts);
  TableJson json;
  json.begin_table("details");
  int64_t alive = 0, all = 0;
  for (const auto& node : nodes_.addresses()) {
    auto name = host_port_text(node.host_port);
    ++all;
    alive += node.is_alive;
    std::string status = node.is_alive ? "ALIVE" : "UNALIVE";
    const auto of = counts[name];
    if (query.arguments.contains("detail"))
      json.row({"address", "status", "replica_count", "primary_count", "secondary_count"},
               {name, status, std::to_string(of.primaries + of.secondaries),
                std::to_string(of.primaries), std::to_string(of.secondaries)});
    else
      json.row({"address", "status"}, {name, status});
  }
  json.end_table()
      .begin_table("summary")
      .value("total_node_count", all)
      .value("alive_node_count", alive)
      .value("unalive_node_count", all - alive)
      .end_table();
  return reply(std::move(json));
}

net::HttpReply MetaService::http_cluster() const {
  auto info = cluster_info(catalog_, facts(), nodes_.addresses());
  TableJson json;
  for (size_t i = 0; i < info.keys.size() && i < info.values.size(); ++i)
    if (info.keys[i] != "cluster_name") json.value(info.keys[i], info.values[i]);
  return reply(std::move(json));
}

net::HttpReply MetaService::http_app_envs(const HttpQuery& query) const {
  const auto& name = query.argument("name");
  if (name.empty()) return bad_request(kNoName);
  TableJson json;
  if (const auto* app = catalog_.find(name))
    for (const auto& [env, value] : app->info.envs) json.value(env, value);
  return reply(std::move(json));
}

net::HttpReply MetaService::set_envs(const std::string& table,
                                     const std::map<std::string, std::string>& envs) {
  wire::configuration_update_app_env_request request;
  request.app_name = table;
  request.op = wire::app_env_operation::APP_ENV_OP_SET;
  for (const auto& [name, value] : envs) {
    request.keys.push_back(name);
    request.values.push_back(value);
  }
  request.__isset.keys = request.__isset.values = true;
  auto response = catalog_.update_env(request);
  if (const auto* app = catalog_.find(table); app && response.err.code == wire::ErrorCode::kOk)
    nodes_.apply_envs(app->info);
  TableJson json;
  json.value("error", wire::error_name(response.err.code))
      .value("hint_message", response.hint_message);
  return reply(std::move(json));
}

net::HttpReply MetaService::http_usage_scenario(const HttpQuery& query) {
  using Names = std::pair<std::string, std::string>;
  const auto names = read_body(
      query.body, +[](const base::JsonFields& in) -> Result<Names> {
        return Names(TRY(in.text("app_name", "")), TRY(in.text("scenario", "")));
      });
  if (!names) return bad_request(names.error().message());
  const auto& [name, scenario] = *names;
  if (name.empty()) return bad_request("app_name should not be empty");
  if (scenario != "normal" && scenario != "bulk_load")
    return bad_request("scenario should ony be 'normal' or 'bulk_load'");
  return set_envs(name, {{"rocksdb.usage_scenario", scenario}});
}

net::HttpReply MetaService::http_start_compaction(const HttpQuery& query) {
  auto order = parse_compaction_order(query.body);
  if (!order) return bad_request(order.error().message());
  auto prefix = "manual_compact." + order->type + ".";
  auto time = order->type == "once" ? std::to_string(clock_.unix_seconds()) : order->trigger_time;
  std::map<std::string, std::string> envs = {
      {prefix + "target_level", std::to_string(order->target_level)},
      {prefix + "bottommost_level_compaction", order->bottommost},
      {prefix + "trigger_time", time}};
  if (order->most_running > 0)
    envs["manual_compact.max_concurrent_running_count"] = std::to_string(order->most_running);
  return set_envs(order->app_name, envs);
}

void MetaService::register_http() {
  auto& http = operations_.http;
  http.on("meta/app", "name=<app_name>[&detail]", "Query app info.",
          [this](const HttpQuery& query) { return http_app(query); });
  http.on("meta/apps", "[detail]", "List all apps in the cluster.",
          [this](const HttpQuery& query) { return http_apps(query); });
  http.on("meta/nodes", "[detail]", "Query the replica servers info.",
          [this](const HttpQuery& query) { return http_nodes(query); });
  http.on("meta/cluster", "", "Query the cluster info.",
          [this](const HttpQuery&) { return http_cluster(); });
  http.on("meta/app_envs", "name=<app_name>", "Query app environments.",
          [this](const HttpQuery& query) { return http_app_envs(query); });
  http.on("envs/list", "", "List all available table environments.",
          [](const HttpQuery&) -> net::HttpReply { return {.body = app_env_list_json()}; });
  http.on("meta/app/start_compaction", "A JSON format of manual_compaction_info structure",
          "Start compaction for an app.",
          [this](const HttpQuery& query) { return http_start_compaction(query); });
  http.on("meta/app/usage_scenario", "A JSON format of usage_scenario_info structure",
          "Update usage scenario of an app.",
          [this](const HttpQuery& query) { return http_usage_scenario(query); });
  http.on("meta/backup_policy", "name=<app_name1>&name=<app_name2>",
          "Query backup policy by policy names.",
          [this](const HttpQuery& query) { return http_backup_policy(query); });
  http.on("meta/app/duplication", "name=<app_name>", "Query app duplication info.",
          [this](const HttpQuery& query) { return http_duplication(query); });
  http.on_later("meta/app/start_bulk_load", "A JSON format of start_bulk_load_request structure",
                "Start app bulk load.", [this](HttpQuery query, net::IncomingHttp http) {
                  tasks_.spawn(http_start_bulk_load(std::move(query), std::move(http)));
                });
  http.on("meta/app/query_bulk_load", "name=<app_name>", "Query app bulk load.",
          [this](const HttpQuery& query) { return http_query_bulk_load(query); });
}

}  // namespace pegmove::server::meta
