#include "apps/die_at.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <memory>

#include "base/units.h"
#include "bulkload/orders.h"
#include "splitter/split.h"

namespace pegmove::apps {
namespace {

bool is_step(std::string_view name) {
  const auto is_in = [](std::string_view name, const auto& steps) {
    return std::ranges::find(steps, name) != std::end(steps);
  };
  // Failpoints of runs: "copy-rows.begun", and those at the end (runs/engine.cc).
  const auto point = name.substr(name.find('.') + 1);
  const std::array points{"begun", "acted", "done", "undoing", "undo-acted", "undone"};
  const std::array ends{"cancelling", "cancelled", "ended"};
  if ((name.contains('.') && is_in(point, points)) || is_in(name, ends)) return true;
  return is_in(name, backup::kSteps) || is_in(name, bulkload::kSteps) ||
         is_in(name, splitter::kSteps);
}

}  // namespace

Result<backup::StepListener> die_at(const std::string& text) {
  if (text.empty()) return backup::StepListener();
  const auto colon = text.find(':');
  const int64_t times =
      colon == std::string::npos
          ? 1
          : TRY(in_context(base::parse_integer(text.substr(colon + 1), 1, 1'000'000), "--die-at"));
  // Shared by all copies of the listener, so that the roles count together.
  auto left = std::make_shared<std::atomic<int64_t>>(times);
  const auto step = text.substr(0, colon);
  if (!is_step(step)) return fail(Code::kInvalidArgument, "--die-at: unknown step '" + step + "'");
  return backup::StepListener([step, left](std::string_view done) {
    if (done == step && --*left == 0) kill(getpid(), SIGKILL);
  });
}

}  // namespace pegmove::apps
