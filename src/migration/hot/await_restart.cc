#include "migration/hot/await_restart.h"

#include <fmt/format.h>

#include "base/units.h"
#include "migration/hot/hot.h"

namespace pegmove::migration::hot {
namespace {

using async::milliseconds;
using journal::StepRecord;
using runs::StepContext;

constexpr milliseconds kBetweenRestartLooks{5'000};
constexpr milliseconds kBetweenRestartStops{300};

void add_absent(const inspect::SideFacts& side, std::set<std::string>& seen,
                std::vector<std::string>& missing) {
  if (side.unreachable) {
    missing.push_back(
        fmt::format("cluster {} does not answer: {}", side.cluster, side.unreachable->to_string()));
    return;
  }
  if (side.nodes.empty())
    missing.push_back(fmt::format("no replica server of cluster {} is alive", side.cluster));
  std::set<std::string> alive;
  for (const auto& node : side.nodes) alive.insert(node.node);
  for (const auto& node : seen)
    if (!alive.contains(node))
      missing.push_back(
          fmt::format("replica server {} of cluster {} is not back", node, side.cluster));
  seen.merge(alive);
}

}  // namespace

std::vector<std::string> AwaitedServers::missing(const HotFacts& facts, const HotRequest& request) {
  std::vector<std::string> missing;
  for (const auto& finding : check_groups(facts, request).all)
    if (finding.severity == inspect::Severity::kError)
      missing.push_back(fmt::format("{}: {}", finding.where, finding.what));
  add_absent(facts.inspection.source, source_, missing);
  add_absent(facts.inspection.target, target_, missing);
  return missing;
}

runs::Step await_restart_step(HotMigration& hot) {
  const auto within = hot.request().restart_within;
  return {.name = "await-restart",
          .does = fmt::format("wait for up to {} until the servers of both clusters were restarted "
                              "with the ids and addresses that they need",
                              base::format_duration(within)),
          .run = [&hot](StepContext context) { return hot.await_restart(context); },
          .take = [&hot](const StepRecord& record) { return hot.take_restart(record); },
          .within = within};
}

Task<std::string> HotMigration::await_restart(StepContext context) {
  auto& session = context.session;
  AwaitedServers awaited;
  std::optional<async::Instant> looked_at;
  while (true) {
    if (session.stop().requested())
      co_return fail(Code::kInterrupted,
                     "nothing was changed yet; `pegmove resume` waits for the restart again");
    if (!looked_at || session.clock().now() - *looked_at >= kBetweenRestartLooks) {
      const auto look = CO_TRY(co_await look_at_restart(awaited));
      if (look.missing.empty()) {
        session.set_reason("");
        co_return to_json(look.request);
      }
      session.set_reason(look.missing.front());
      session.show_progress(context.events,
                            {.line = fmt::format("waiting for a restart, {} to do: {}",
                                                 look.missing.size(), look.missing.front())},
                            false);
      looked_at = session.clock().now();
    }
    co_await session.clock().sleep_for(kBetweenRestartStops);  // no result
  }
}

// Once the servers have what they need all is checked once more: much may have changed meanwhile.
// What passes by itself, such as partitions without a primary, is waited for.
Task<HotMigration::RestartLook> HotMigration::look_at_restart(AwaitedServers& awaited) {
  const auto facts =
      co_await ask_configurations(ports_, *source_cluster_, *target_cluster_, request_);
  RestartLook look{.missing = awaited.missing(facts, request_)};
  if (!look.missing.empty()) co_return look;
  auto request = request_;
  request.restart_within = milliseconds(0);  // what is missing now is an error
  auto checked = co_await look_before_hot(ports_, {from_, source_cluster_}, {to_, target_cluster_},
                                          std::move(request));
  look.request = std::move(checked.request);
  for (const auto& finding : checked.findings.all) {
    if (finding.severity != inspect::Severity::kError) continue;
    if (!is_passing(Error(finding.code, finding.what)))
      co_return fail(inspect::to_error(checked.findings.all));
    look.missing.push_back(inspect::to_line(finding));
  }
  co_return look;
}

// The names and ids by which the servers know each other, and what was measured.
Result<void> HotMigration::take_restart(const StepRecord& record) {
  if (record.product.empty()) return {};
  const auto found = TRY(hot_request_from_json(record.product));
  request_.source = found.source;
  request_.target = found.target;
  request_.ships_in_batches = found.ships_in_batches;
  return source_cluster_ ? bind_ways() : Result<void>();
}

}  // namespace pegmove::migration::hot
