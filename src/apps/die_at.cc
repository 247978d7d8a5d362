#include "apps/die_at.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <memory>

#include "base/units.h"
#include "bulkload/node_requests.h"
#include "duplication/control_failpoints.h"
#include "duplication/failpoints.h"
#include "duplication/shipping_failpoints.h"
#include "migration/hot/failpoints.h"
#include "splitter/split.h"

namespace pegmove::apps {
namespace {

bool is_failpoint(std::string_view name) {
  const auto is_in = [](std::string_view name, const auto& names) {
    return std::ranges::find(names, name) != std::end(names);
  };
  // Failpoints of runs: "copy-rows.begun", and those at the end (runs/engine.cc).
  const auto point = name.substr(name.find('.') + 1);
  const std::array points{"begun", "acted", "done", "undoing", "undo-acted", "undone", "repeats"};
  const std::array ends{"cancelling", "cancelled", "ended"};
  if ((name.contains('.') && is_in(point, points)) || is_in(name, ends)) return true;
  return is_in(name, backup::kFailpoints) || is_in(name, bulkload::kFailpoints) ||
         is_in(name, splitter::kFailpoints) || is_in(name, duplication::kFailpoints) ||
         is_in(name, duplication::kControlFailpoints) ||
         is_in(name, duplication::kShippingFailpoints) || is_in(name, migration::hot::kFailpoints);
}

}  // namespace

Result<backup::FailpointListener> die_at(const std::string& text) {
  if (text.empty()) return backup::FailpointListener();
  const auto colon = text.find(':');
  const int64_t times =
      colon == std::string::npos
          ? 1
          : TRY(in_context(base::parse_integer(text.substr(colon + 1), 1, 1'000'000), "--die-at"));
  // Shared by all copies of the listener, so that the roles count together.
  auto left = std::make_shared<std::atomic<int64_t>>(times);
  const auto point = text.substr(0, colon);
  if (!is_failpoint(point))
    return fail(Code::kInvalidArgument, fmt::format("--die-at: unknown failpoint '{}'", point));
  return backup::FailpointListener([point, left](std::string_view reached) {
    if (reached == point && --*left == 0) kill(getpid(), SIGKILL);
  });
}

}  // namespace pegmove::apps
