#include "migration/hot/server_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/json_fields.h"
#include "base/json_text.h"

namespace pegmove::migration::hot {
namespace {

constexpr const char* kRealDefault = "4096";
constexpr size_t kMostValueBytes = 64;

std::string where_set(const std::string& name, const net::HostPort& node) {
  return fmt::format("setting {} of replica server {}", name, node.to_string());
}

Task<std::string> value_on(ServerPort servers, net::HostPort node, std::string name,
                           Deadline deadline) {
  auto body = CO_TRY(in_context(co_await servers.get(node, "/config?name=" + name, deadline),
                                where_set(name, node)));
  co_return in_context(parse_setting(body, name), where_set(name, node));
}

// Sets it and reads it back: a server may accept a value and keep another one.
Task<> set_on(ServerPort servers, net::HostPort node, std::string name, std::string value,
              Deadline deadline) {
  auto body = CO_TRY(in_context(
      co_await servers.get(node, fmt::format("/updateConfig?{}={}", name, value), deadline),
      where_set(name, node)));
  CO_TRY(in_context(parse_update(body), where_set(name, node)));
  const auto now = CO_TRY(co_await value_on(servers, node, name, deadline));
  if (now == value) co_return Result<void>();
  co_return fail(Code::kRefused,
                 fmt::format("{}: it is {} after it was set to {}; somebody else may set it, too",
                             where_set(name, node), now, value));
}

Task<std::vector<net::HostPort>> alive_servers(client::Cluster& cluster, Deadline deadline) {
  std::vector<net::HostPort> alive;
  for (const auto& node : CO_TRY(co_await cluster.nodes(deadline)))
    if (node.is_alive) alive.push_back(node.address);
  co_return alive;
}

Task<std::string> get_from(client::Cluster& cluster, net::HostPort node, std::string target,
                           Deadline deadline) {
  auto reply =
      CO_TRY(co_await cluster.client().http_get(std::move(node), std::move(target), deadline));
  if (reply.status == 200) co_return std::move(reply.body);
  co_return fail(Code::kProtocol,
                 fmt::format("status {}: {}", reply.status, base::printable(reply.body, 80)));
}

bool is_away(const Error& error) {
  return error.code() == Code::kUnreachable || error.code() == Code::kTimeout;
}

}  // namespace

ServerPort servers_of(client::Cluster& cluster) {
  return {.alive = [&cluster](Deadline deadline) { return alive_servers(cluster, deadline); },
          .get =
              [&cluster](net::HostPort node, std::string target, Deadline deadline) {
                return get_from(cluster, std::move(node), std::move(target), deadline);
              }};
}

std::string to_json(const std::vector<ServerValue>& values) {
  auto list = nlohmann::json::array();
  for (const auto& [node, value] : values) list.push_back({{"node", node}, {"value", value}});
  return base::json_text(list);
}

Result<std::vector<ServerValue>> server_values_from_json(std::string_view text) {
  const nlohmann::json json{{"servers", base::parse_json<nlohmann::json>(text)}};
  const auto in = TRY(base::JsonFields::of(json, "the journal's settings of servers"));
  std::vector<ServerValue> values;
  for (const auto& each : TRY(in.objects("servers")))
    values.push_back({TRY(each.text("node")), TRY(each.text("value"))});
  return values;
}

// {"name":"...","section":"replication","type":"FV_UINT64","tags":"...","value":"4096"}
Result<std::string> parse_setting(std::string_view body, std::string_view name) {
  if (body.contains("ERR_OBJECT_NOT_FOUND"))
    return fail(
        Code::kUnsupported,
        fmt::format("the server has no setting {} that can be read: its Pegasus is too old", name));
  const auto json = base::parse_json<nlohmann::json>(body);
  if (json.is_object()) {
    const auto text = base::text_in(json, "value");
    const auto number = base::number_in(json, "value");
    const auto value = text.empty() && number >= 0 ? std::to_string(number) : text;
    // It becomes a part of a request when it is put back.
    const auto is_good = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
    if (!value.empty() && value.size() <= kMostValueBytes && std::ranges::all_of(value, is_good))
      return value;
  }
  return fail(Code::kProtocol,
              fmt::format("no value of {} in: {}", name, base::printable(body, 80)));
}

Result<void> parse_update(std::string_view body) {
  const auto json = base::parse_json<nlohmann::json>(body);
  const auto status = json.is_object() ? base::text_in(json, "update_status") : "";
  if (status == "ERR_OK") return {};
  if (!status.empty())
    return fail(Code::kRefused, "the server refuses to change it: " + base::printable(status, 200));
  return fail(Code::kProtocol, "no update_status in: " + base::printable(body, 80));
}

Task<std::vector<ServerValue>> find_settings(ServerPort servers, std::string name,
                                             Deadline deadline) {
  std::vector<ServerValue> values;
  for (const auto& node : CO_TRY(co_await servers.alive(deadline)))
    values.push_back({node.to_string(), CO_TRY(co_await value_on(servers, node, name, deadline))});
  co_return values;
}

Task<KeptSetting> keep_setting(ServerPort servers, std::string name, std::string value,
                               Deadline deadline) {
  KeptSetting kept;
  for (const auto& node : CO_TRY(co_await servers.alive(deadline))) {
    auto now = co_await value_on(servers, node, name, deadline);
    if (now && *now == value) continue;
    auto set = now ? co_await set_on(servers, node, name, value, deadline)
                   : Result<void>(fail(now.error()));
    if (now) kept.changed.push_back({node.to_string(), *now});
    if (set) continue;
    if (!is_away(set.error())) co_return fail(std::move(set.error()));
    kept.silent.push_back(set.error().to_string());
  }
  co_return kept;
}

Task<> put_back_setting(ServerPort servers, std::string name, std::string value,
                        std::vector<ServerValue> before, Deadline deadline) {
  for (const auto& node : CO_TRY(co_await servers.alive(deadline))) {
    if (CO_TRY(co_await value_on(servers, node, name, deadline)) != value) continue;
    const auto own = std::ranges::find(before, node.to_string(), &ServerValue::node);
    const auto wanted = own != before.end() ? own->value
                        : !before.empty()   ? before.front().value
                                            : std::string(kRealDefault);
    if (wanted != value) CO_TRY(co_await set_on(servers, node, name, wanted, deadline));
  }
  co_return Result<void>();
}

}  // namespace pegmove::migration::hot
