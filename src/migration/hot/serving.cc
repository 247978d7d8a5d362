#include "migration/hot/serving.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "inspect/server_answers.h"

namespace pegmove::migration::hot {
namespace {

constexpr size_t kMostServed = 10;
constexpr const char* kTableRequests =
    "get_requests,multi_get_requests,batch_get_requests,scan_requests,put_requests,"
    "multi_put_requests,remove_requests,multi_remove_requests,incr_requests,check_and_set_requests,"
    "check_and_mutate_requests";
constexpr const char* kFailedRequests = "read_failed_requests,write_failed_requests";
constexpr const char* kRefusedAtomic = "dup_rejected_non_idempotent_write_requests";

std::string table_metrics(int32_t app_id, const char* metrics) {
  return fmt::format(
      "/metrics?with_metric_fields=name,value&types=replica&attributes=table_id,{}&metrics={}",
      app_id, metrics);
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

int64_t grown(int64_t before, int64_t now) { return now >= before ? now - before : now; }

std::string rate_text(const ServingMeter& meter) {
  const auto rate = meter.per_second();
  return rate ? base::format_count(uint64_t(std::max<int64_t>(*rate, 0))) : std::string("?");
}

}  // namespace

Task<ServedRequests> served_requests(client::Cluster& cluster, int32_t app_id, Deadline deadline) {
  ServedRequests sums;
  for (const auto& node : CO_TRY(co_await cluster.nodes(deadline))) {
    if (!node.is_alive) continue;
    const bool answers =
        co_await add_metrics(cluster, node.address, table_metrics(app_id, kTableRequests), deadline,
                             sums.requests) &&
        co_await add_metrics(cluster, node.address, table_metrics(app_id, kRefusedAtomic), deadline,
                             sums.refused_atomic) &&
        co_await add_metrics(
            cluster, node.address,
            fmt::format("/metrics?with_metric_fields=name,value&types=server&metrics={}",
                        kFailedRequests),
            deadline, sums.failed);
    sums.silent += !answers;
  }
  co_return sums;
}

// A reading that lacks a server says nothing of what has grown.
void ServingMeter::add(async::Instant at, const ServedRequests& now) {
  if (now.silent > 0) return;
  if (last_) {
    failed_ += grown(last_->failed, now.failed);
    refused_ += grown(last_->refused_atomic, now.refused_atomic);
    if (now.requests < last_->requests) readings_.clear();
  }
  last_ = now;
  readings_.push_back({at, now.requests});
  if (readings_.size() > kMostServed) readings_.erase(readings_.begin());
}

std::optional<int64_t> ServingMeter::per_second() const {
  if (readings_.size() < 2) return std::nullopt;
  const auto passed =
      std::chrono::duration_cast<async::milliseconds>(readings_.back().at - readings_.front().at);
  if (passed.count() <= 0) return std::nullopt;
  return int64_t(double(readings_.back().requests - readings_.front().requests) * 1000.0 /
                 double(passed.count()));
}

std::string to_line(const ServingMeter& target, const ServingMeter& source) {
  return fmt::format(
      "target: {} requests/s, source: {}; failed on the target's servers since the watch began: "
      "{}, "
      "atomic writes refused: {}",
      rate_text(target), rate_text(source), base::format_count(uint64_t(target.failed())),
      base::format_count(uint64_t(target.refused_atomic() + source.refused_atomic())));
}

}  // namespace pegmove::migration::hot
