#include "migration/hot/serving.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"
#include "inspect/server_answers.h"

namespace pegmove::migration::hot {
namespace {

constexpr size_t kMostServed = 10;
constexpr const char* kTableReads =
    "get_requests,multi_get_requests,batch_get_requests,scan_requests";
constexpr const char* kTableWrites =
    "put_requests,multi_put_requests,remove_requests,multi_remove_requests,incr_requests,"
    "check_and_set_requests,check_and_mutate_requests";

std::string table_metrics(int32_t app_id, const char* metrics) {
  return fmt::format(
      "/metrics?with_metric_fields=name,value&types=replica&attributes=table_id,{}&metrics={}",
      app_id, metrics);
}

std::string server_metrics(const char* metrics) {
  return fmt::format("/metrics?with_metric_fields=name,value&types=server&metrics={}", metrics);
}

// Adds the sum of one server's metrics. Returns whether it has answered.
Routine<bool> add_metrics(client::Cluster& cluster, net::HostPort node, std::string target,
                          Deadline deadline, int64_t& sum) {
  const auto reply =
      co_await cluster.client().http_get(std::move(node), std::move(target), deadline);
  if (!reply || reply->status != 200) co_return false;
  const auto answer = inspect::parse_metrics(reply->body);
  if (answer) sum += answer->sum;
  co_return answer.has_value();
}

Routine<bool> add_server(client::Cluster& cluster, net::HostPort node, int32_t app_id,
                         Deadline deadline, ServedRequests& sums) {
  for (const auto& [target, sum] : {std::pair(table_metrics(app_id, kTableReads), &sums.reads),
                                    {table_metrics(app_id, kTableWrites), &sums.writes},
                                    {table_metrics(app_id, kRefusedAtomic), &sums.refused_atomic},
                                    {server_metrics(kFailedReads), &sums.failed_reads},
                                    {server_metrics(kFailedWrites), &sums.failed_writes}})
    if (!co_await add_metrics(cluster, node, target, deadline, *sum)) co_return false;
  co_return true;
}

int64_t grown(int64_t before, int64_t now) { return now >= before ? now - before : now; }

std::string served_text(int64_t count) {
  return base::format_count(uint64_t(std::max<int64_t>(count, 0)));
}

}  // namespace

Task<ServedRequests> served_requests(client::Cluster& cluster, int32_t app_id, Deadline deadline) {
  ServedRequests sums;
  for (const auto& node : CO_TRY(co_await cluster.nodes(deadline)))
    if (node.is_alive)
      sums.silent += !co_await add_server(cluster, node.address, app_id, deadline, sums);
  co_return sums;
}

// A reading that lacks a server says nothing of what has grown.
void ServingMeter::add(async::Instant at, const ServedRequests& now) {
  if (now.silent > 0) return;
  if (last_) {
    failed_reads_ += grown(last_->failed_reads, now.failed_reads);
    failed_writes_ += grown(last_->failed_writes, now.failed_writes);
    refused_ += grown(last_->refused_atomic, now.refused_atomic);
    if (now.reads < last_->reads || now.writes < last_->writes) readings_.clear();
  }
  last_ = now;
  readings_.push_back({at, now.reads, now.writes});
  if (readings_.size() > kMostServed) readings_.erase(readings_.begin());
}

std::optional<ServedRate> ServingMeter::rate() const {
  if (readings_.size() < 2) return std::nullopt;
  const auto& first = readings_.front();
  const auto& last = readings_.back();
  const auto passed = std::chrono::duration_cast<async::milliseconds>(last.at - first.at).count();
  if (passed <= 0) return std::nullopt;
  const auto per_second = [passed](int64_t count) {
    return int64_t(double(count) * 1000.0 / double(passed));
  };
  return ServedRate{per_second(last.reads - first.reads), per_second(last.writes - first.writes)};
}

std::string to_json(const std::optional<ServedRate>& rate) {
  if (!rate) return "null";
  return base::json_text(
      nlohmann::json{{"reads_per_second", rate->reads}, {"writes_per_second", rate->writes}});
}

Result<std::optional<ServedRate>> served_rate_from_json(std::string_view text) {
  const auto json = base::parse_json<nlohmann::json>(text);
  if (json.is_null()) return std::nullopt;
  const auto in = TRY(base::JsonFields::of(json, "the journal's requests per second"));
  return ServedRate{.reads = TRY(in.integer("reads_per_second", 0, INT64_MAX)),
                    .writes = TRY(in.integer("writes_per_second", 0, INT64_MAX))};
}

std::string to_text(const std::optional<ServedRate>& rate) {
  return rate ? fmt::format("{} reads/s, {} writes/s", served_text(rate->reads),
                            served_text(rate->writes))
              : "?";
}

std::string to_line(const ServingMeter& target, const ServingMeter& source,
                    const std::optional<ServedRate>& before) {
  return fmt::format(
      "target: {} (source before the cutover: {}; now: {}); since the watch began on the target: "
      "{} {}, {} {}; {}: target {}, source {}",
      to_text(target.rate()), to_text(before), to_text(source.rate()), kFailedReads,
      served_text(target.failed_reads()), kFailedWrites, served_text(target.failed_writes()),
      kRefusedAtomic, served_text(target.refused_atomic()), served_text(source.refused_atomic()));
}

}  // namespace pegmove::migration::hot
