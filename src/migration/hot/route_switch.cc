#include "migration/hot/route_switch.h"

#include <fmt/format.h>

namespace pegmove::migration::hot {
namespace {

bool is_unknown(const Error& error) {
  return error.code() == Code::kUnreachable || error.code() == Code::kTimeout;
}

Deadline node_request(const Clock& clock, Deadline deadline) {
  return Deadline::in(clock, kNodeRequest).earlier(deadline);
}

// The node after somebody has changed it. A server of ZooKeeper may lag behind the one that has
// refused the compare-and-set: what still has the old version is read again.
Task<std::optional<routes::Node>> read_changed(routes::Nodes& nodes, Clock& clock, std::string path,
                                               int32_t old_version, Deadline deadline) {
  while (true) {
    auto node = co_await nodes.read(path, node_request(clock, deadline));
    if (node && (!*node || (*node)->version != old_version)) co_return *std::move(node);
    if (!node && !is_unknown(node.error())) co_return fail(std::move(node).error());
    if (deadline.passed(clock))
      co_return node ? fail(Code::kTimeout, fmt::format("node {} was changed, but {} shows only "
                                                        "its version {} from before",
                                                        path, nodes.description(), old_version))
                     : fail(std::move(node).error());
    co_await clock.sleep_for(kNodePause);  // no result
  }
}

}  // namespace

Task<CutoverBefore> read_before(routes::Nodes& nodes, Clock& clock, CutoverPlan plan,
                                Deadline deadline) {
  auto node = CO_TRY(co_await nodes.read(plan.path, deadline));
  if (!node)
    co_return fail(Code::kNotFound,
                   fmt::format("{} has no node {}; `pegmove routes set --create` makes it",
                               nodes.description(), plan.path));
  if (names_in(node, plan) != NodeNames::kSource)
    co_return fail(Code::kRefused,
                   fmt::format("node {} (version {}) does not name {} ({}), which serves the "
                               "table: it says {}. Look at it with `pegmove routes show`; "
                               "nothing was changed",
                               plan.path, node->version, plan.from.cluster, plan.from.metas_text(),
                               node->data));
  co_return CutoverBefore{
      .version = node->version, .text = std::move(node->data), .began_ms = clock.unix_us() / 1'000};
}

Task<CutoverBefore> claim_node(routes::Nodes& nodes, Clock& clock, CutoverPlan plan,
                               Deadline deadline) {
  while (true) {
    auto before = CO_TRY(co_await read_before(nodes, clock, plan, deadline));
    auto written =
        co_await nodes.write(plan.path, before.text, before.version, node_request(clock, deadline));
    if (written) {
      before.version = *written;
      co_return before;
    }
    const bool may_repeat = is_unknown(written.error()) || written.error().code() == Code::kBusy;
    if (!may_repeat || deadline.passed(clock))
      co_return fail(Error(written.error()).with_context("before anything was changed"));
    co_await clock.sleep_for(kNodePause);  // no result
  }
}

Task<SwitchEnd> switch_route(routes::Nodes& nodes, Clock& clock, CutoverPlan plan,
                             CutoverBefore before, Deadline deadline) {
  while (!deadline.passed(clock)) {
    auto written = co_await nodes.write(plan.path, routes::route_text(plan.to), before.version,
                                        node_request(clock, deadline));
    if (written) co_return SwitchEnd::kSwitched;
    if (written.error().code() == Code::kBusy) {
      // Also after an attempt of ours whose answer was lost.
      auto node = co_await read_changed(nodes, clock, plan.path, before.version, deadline);
      if (!node) co_return SwitchEnd::kNotKnown;
      co_return names_in(*node, plan) == NodeNames::kTarget ? SwitchEnd::kSwitched
                                                            : SwitchEnd::kLost;
    }
    if (!is_unknown(written.error())) co_return fail(std::move(written).error());
    co_await clock.sleep_for(kNodePause);  // no result
  }
  co_return SwitchEnd::kNotKnown;
}

Task<ClosedSwitch> close_switch(routes::Nodes& nodes, Clock& clock, CutoverPlan plan,
                                CutoverBefore before, Deadline deadline) {
  while (true) {
    auto written =
        co_await nodes.write(plan.path, before.text, before.version, node_request(clock, deadline));
    if (written) co_return ClosedSwitch{NodeNames::kSource, *written};
    const auto code = written.error().code();
    if (code == Code::kNotFound) co_return ClosedSwitch{};
    if (code == Code::kBusy) {
      const auto node =
          CO_TRY(co_await read_changed(nodes, clock, plan.path, before.version, deadline));
      co_return ClosedSwitch{names_in(node, plan), node ? node->version : -1};
    }
    if (!is_unknown(written.error()) || deadline.passed(clock))
      co_return fail(std::move(written).error());
    co_await clock.sleep_for(kNodePause);  // no result
  }
}

}  // namespace pegmove::migration::hot
