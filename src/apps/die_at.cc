#include "apps/die_at.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include "base/descriptor.h"
#include "base/text.h"
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

Result<void> check_failpoint(std::string_view option, const std::string& point) {
  if (is_failpoint(point)) return {};
  return fail(Code::kInvalidArgument, fmt::format("{}: unknown failpoint '{}'", option, point));
}

// Shared by the copies of a listener.
struct Stops {
  std::vector<std::string> points;
  std::atomic<size_t> next = 0;

  void pass(std::string_view point) {
    auto at = next.load();
    if (at < points.size() && points[at] == point && next.compare_exchange_strong(at, at + 1))
      std::raise(SIGSTOP);
  }
};

Result<std::shared_ptr<base::Descriptor>> open_points(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0)
    return fail(Code::kIo, fmt::format("--points-in {}: {}", path, std::strerror(errno)));
  return std::make_shared<base::Descriptor>(file);
}

// In one piece, so that lines of several processes do not mix.
void append_point(const base::Descriptor& file, std::string_view point) {
  const auto line = fmt::format("{} {}\n", getpid(), point);
  [[maybe_unused]] const auto written = write(file.get(), line.data(), line.size());
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
  TRY(check_failpoint("--die-at", point));
  return backup::FailpointListener([point, left](std::string_view reached) {
    if (reached == point && --*left == 0) kill(getpid(), SIGKILL);
  });
}

void add_failpoint_options(Verb& verb, FailpointOptions& options) {
  verb.add_option("--die-at", options.die_at)->group("");
  verb.add_option("--stop-at", options.stop_at)->group("");
  verb.add_option("--points-in", options.points_in)->group("");
  verb.add_option("--guard-die-at", options.guard_die_at)->group("");
}

Result<backup::FailpointListener> failpoint_listener(const FailpointOptions& options) {
  auto dies = TRY(die_at(options.die_at));
  TRY(in_context(die_at(options.guard_die_at), "the guard"));
  auto stops = std::make_shared<Stops>();
  if (!options.stop_at.empty()) stops->points = base::split(options.stop_at, ',');
  for (const auto& point : stops->points) TRY(check_failpoint("--stop-at", point));
  std::shared_ptr<base::Descriptor> file;
  if (!options.points_in.empty()) file = TRY(open_points(options.points_in));
  if (!dies && !file && stops->points.empty()) return backup::FailpointListener();
  return backup::FailpointListener([dies, stops, file](std::string_view point) {
    if (file) append_point(*file, point);
    if (dies) dies(point);
    stops->pass(point);
  });
}

std::vector<std::string> guard_words(const FailpointOptions& options) {
  std::vector<std::string> words;
  if (!options.points_in.empty()) words.insert(words.end(), {"--points-in", options.points_in});
  if (!options.guard_die_at.empty()) words.insert(words.end(), {"--die-at", options.guard_die_at});
  return words;
}

}  // namespace pegmove::apps
