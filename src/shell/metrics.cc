#include "shell/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "async/all.h"
#include "base/json_fields.h"
#include "base/json_text.h"

namespace pegmove::shell {
namespace {

using base::text_in;
using nlohmann::json;

constexpr async::milliseconds kRequestTimeout{10'000};
constexpr size_t kShownBody = 200;  // of an answer that is an error

std::unexpected<Error> malformed(std::string what) {
  return fail(Code::kProtocol, "the reply is not what /metrics answers: " + std::move(what));
}

template <typename Texts>
void append_argument(std::string& target, std::string_view name, const Texts& texts) {
  if (texts.empty()) return;
  target += target.ends_with('?') ? "" : "&";
  target += name;
  std::string_view before = "=";
  for (const auto& text : texts) {
    target += before;
    target += text;
    before = ",";
  }
}

const json* find(const json& object, const char* key, json::value_t type) {
  if (!object.is_object()) return nullptr;
  auto found = object.find(key);
  return found == object.end() || found->type() != type ? nullptr : &*found;
}

Result<MetricEntity> parse_entity(const json& object, std::string_view field) {
  const auto* metrics = find(object, "metrics", json::value_t::array);
  if (!metrics) return malformed("an entity has no list of metrics");
  MetricEntity entity{text_in(object, "type"), text_in(object, "id"), {}, {}};
  if (const auto* attributes = find(object, "attributes", json::value_t::object))
    for (const auto& [key, value] : attributes->items())
      if (value.is_string()) entity.attributes[key] = value.get<std::string>();
  for (const auto& metric : *metrics) {
    auto name = text_in(metric, "name");
    if (name.empty())
      return malformed(fmt::format("a metric of the entity {} has no name", entity.id));
    auto value = metric.find(field);
    if (value == metric.end()) continue;  // of another kind
    if (!value->is_number()) return malformed(fmt::format("the metric {} has no number", name));
    entity.values[name] = value->get<double>();
  }
  return entity;
}

int32_t number_of(const std::map<std::string, std::string>& attributes, const char* name) {
  auto found = attributes.find(name);
  int32_t number = 0;
  if (found == attributes.end()) return -1;
  const auto& text = found->second;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : -1;
}

std::string status_text(int status) {
  switch (status) {
    case 307: return "307 Temporary Redirect";
    case 400: return "400 Bad Request";
    case 404: return "404 Not Found";
    case 500: return "500 Internal Server Error";
    default: return std::to_string(status);
  }
}

Task<> fetch_one(client::Client& client, net::HostPort node, MetricsQuery query, std::string what,
                 Deadline deadline, Result<MetricsSample>& out) {
  auto failed = [&](const std::string& why) {
    out = fail(Code::kUnreachable, fmt::format("ERROR: query {} metrics from node {} failed, {}",
                                               what, node.to_string(), why));
  };
  auto reply = co_await client.http_get(node, metrics_target(query), deadline);
  if (!reply) {
    failed("msg=" + reply.error().to_string());
    co_return Result<void>();
  }
  if (reply->status != 200) {
    failed(fmt::format("http_status={}, msg={}", status_text(reply->status),
                       reply->body.substr(0, kShownBody)));
    co_return Result<void>();
  }
  out = parse_metrics(reply->body, query.field);
  if (!out)
    out = fail(Code::kProtocol,
               fmt::format("ERROR: parse {} metrics response from node {} failed, msg={}", what,
                           node.to_string(), out.error().to_string()));
  co_return Result<void>();
}

}  // namespace

int64_t whole_number(double value) {
  constexpr double kMost = 9.2e18;
  return int64_t(std::clamp(value, -kMost, kMost));
}

std::string metrics_target(const MetricsQuery& query) {
  std::string target = "/metrics?";
  append_argument(target, "with_metric_fields", std::vector<std::string_view>{"name", query.field});
  append_argument(target, "types", query.types);
  append_argument(target, "attributes", query.attributes);
  append_argument(target, "metrics", query.names);
  return target;
}

double MetricEntity::value(std::string_view name) const {
  auto found = values.find(name);
  return found == values.end() ? 0 : found->second;
}

Gpid MetricEntity::partition() const {
  Gpid gpid{number_of(attributes, "table_id"), number_of(attributes, "partition_id")};
  return gpid.app_id <= 0 || gpid.partition_index < 0 ? Gpid{} : gpid;
}

double NodeSamples::seconds() const {
  return (double(end.timestamp_ns) - double(start.timestamp_ns)) / 1e9;
}

Result<MetricsSample> parse_metrics(std::string_view text, std::string_view field) {
  auto root = base::parse_json<json>(text);
  if (root.is_discarded()) return malformed("it is no whole JSON");
  const auto* entities = find(root, "entities", json::value_t::array);
  if (!entities) return malformed("it has no list of entities");
  MetricsSample sample;
  sample.role = text_in(root, "role");
  auto timestamp = root.find("timestamp_ns");
  if (timestamp == root.end() || !timestamp->is_number_integer())
    return malformed("it has no timestamp_ns");
  sample.timestamp_ns = timestamp->get<int64_t>();
  for (const auto& entity : *entities) sample.entities.push_back(TRY(parse_entity(entity, field)));
  return sample;
}

Task<std::vector<Result<MetricsSample>>> fetch_metrics(client::Client& client,
                                                       std::vector<net::HostPort> nodes,
                                                       MetricsQuery query, std::string what,
                                                       Deadline deadline) {
  std::vector<Result<MetricsSample>> samples(nodes.size());
  std::vector<Task<>> tasks;
  for (size_t i = 0; i < nodes.size(); ++i)
    tasks.push_back(fetch_one(client, nodes[i], query, what, deadline, samples[i]));
  CO_TRY(co_await async::all(std::move(tasks)));
  co_return samples;
}

Task<std::vector<net::HostPort>> alive_nodes(std::shared_ptr<client::Cluster> cluster,
                                             Deadline deadline) {
  std::vector<net::HostPort> alive;
  for (auto& node : CO_TRY(co_await cluster->nodes(deadline)))
    if (node.is_alive) alive.push_back(std::move(node.address));
  std::ranges::sort(alive, {}, [](const auto& node) { return std::pair(node.host, node.port); });
  co_return alive;
}

Task<std::vector<NodeSample>> sample_nodes(std::shared_ptr<client::Cluster> cluster,
                                           MetricsQuery query, std::string what,
                                           Deadline deadline) {
  auto nodes = CO_TRY(co_await alive_nodes(cluster, deadline));
  auto samples = CO_TRY(co_await fetch_metrics(cluster->client(), nodes, query, what, deadline));
  std::vector<NodeSample> all;
  for (size_t i = 0; i < nodes.size(); ++i)
    all.push_back({nodes[i], CO_TRY(std::move(samples[i]))});
  co_return all;
}

Task<std::vector<NodeSamples>> sample_nodes_twice(std::shared_ptr<client::Cluster> cluster,
                                                  MetricsQuery query, std::string what,
                                                  async::milliseconds interval) {
  auto& clock = cluster->client().clock();
  auto starts = CO_TRY(co_await sample_nodes(cluster, query, "starting " + what,
                                             Deadline::in(clock, kRequestTimeout)));
  co_await clock.sleep_for(interval);  // no result
  auto ends = CO_TRY(co_await sample_nodes(cluster, query, "ending " + what,
                                           Deadline::in(clock, kRequestTimeout)));
  std::vector<NodeSamples> both;
  for (auto& start : starts) {
    auto end = std::ranges::find(ends, start.node, &NodeSample::node);
    if (end == ends.end()) continue;
    if (end->sample.timestamp_ns <= start.sample.timestamp_ns)
      co_return fail(Code::kProtocol,
                     fmt::format("ERROR: the clock of node {} stood still between two samples",
                                 start.node.to_string()));
    both.push_back({start.node, std::move(start.sample), std::move(end->sample)});
  }
  co_return both;
}

}  // namespace pegmove::shell
