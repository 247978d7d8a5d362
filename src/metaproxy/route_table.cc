#include "metaproxy/route_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "async/for_each.h"
#include "async/wait_until.h"
#include "base/text.h"
#include "base/units.h"

namespace pegmove::metaproxy {
namespace {

constexpr size_t kReadsAtOnce = 16;

}  // namespace

// A read of a table that is not known yet; who asks for the same table meanwhile waits for it.
// Each waits until its own deadline; the read has its own.
struct RouteTable::Look {
  std::optional<Result<routes::Route>> result{};
  bool may_be_old = false;  // the node was changed meanwhile, or its watch may be lost
  async::Event done{};
};

RouteTable::RouteTable(asio::any_io_executor executor, Clock& clock, routes::Nodes& nodes,
                       RouteTableOptions options, Logger log,
                       std::function<void(const std::string& table, bool has_route)> on_read)
    : clock_(clock),
      nodes_(nodes),
      options_(std::move(options)),
      log_(std::move(log)),
      on_read_(std::move(on_read)),
      tasks_(std::move(executor)) {}

void RouteTable::start() {
  tasks_.spawn(keep_confirmed());
  tasks_.spawn(confirm_again_and_again());
}

void RouteTable::stop() {
  tasks_.stop();
  has_due_.notify_all();
  for (const auto& [table, look] : looks_) look->done.notify_all();
}

Routine<> RouteTable::join() {
  co_await tasks_.join();  // no result
}

async::milliseconds RouteTable::age_of(const KnownRoute& route) const {
  return std::chrono::duration_cast<async::milliseconds>(clock_.now() - route.confirmed);
}

std::string RouteTable::describe(const std::string& table, const KnownRoute& known) const {
  return fmt::format("table '{}': cluster '{}' at {}, version {} of the node, of {} UTC", table,
                     known.route.cluster, known.route.metas_text(), known.version,
                     base::utc_date_time(known.changed_ms));
}

Task<routes::Route> RouteTable::find(std::string table, Deadline deadline) {
  if (auto known = shown_.find(table); known != shown_.end()) {
    known->second.last_use = ++uses_;
    co_return known->second.route;
  }
  if (auto path = routes::node_path(options_.root, table); !path)
    co_return fail(Code::kNotFound, path.error().message());
  // The read may end, and its entry go, before spawn() returns.
  auto first = looks_[table];
  if (!first) {
    first = std::make_shared<Look>();
    looks_[table] = first;
    tasks_.spawn(look(table, first));
  }
  co_await async::wait_until(first->done, clock_, deadline, [&] {  // no result
    return first->result || tasks_.stopped();
  });
  if (first->result) co_return *first->result;
  if (tasks_.stopped()) co_return fail(Code::kInterrupted, "the routes are being closed");
  co_return fail(Code::kTimeout, nodes_.description() + " did not answer in time");
}

Routine<> RouteTable::look(std::string table, std::shared_ptr<Look> own) {
  auto result = co_await read_first(table);
  looks_.erase(table);
  on_read_(table, result.has_value());
  if (own->may_be_old && result) {
    due_.insert(table);
    has_due_.notify_all();
  }
  own->result = std::move(result);
  own->done.notify_all();
}

Task<routes::Route> RouteTable::read_first(const std::string& table) {
  const auto path = CO_TRY(routes::node_path(options_.root, table));
  auto node = CO_TRY(co_await nodes_.read(path, Deadline::in(clock_, options_.read_timeout)));
  if (!node)
    co_return fail(Code::kNotFound, fmt::format("{} has no node {}", nodes_.description(), path));
  co_return take(table, std::move(node));
}

// What a read has shown, of a table that is known or not. nullopt: there is no node.
Result<routes::Route> RouteTable::take(const std::string& table, std::optional<routes::Node> node) {
  const auto known = shown_.find(table);
  if (!node) {
    if (known != shown_.end()) {
      log_.warning(fmt::format("{}: the node was deleted; clients get ERR_OBJECT_NOT_FOUND",
                               describe(table, known->second)));
      shown_.erase(known);
    }
    return fail(Code::kNotFound, fmt::format("table '{}' has no node", table));
  }
  auto route = routes::parse_route(node->data);
  if (!route && known == shown_.end()) return fail(std::move(route).error());
  if (!route) {
    note_problem(
        table, known->second,
        fmt::format("version {} of the node is wrong: {}", node->version, route.error().message()));
    return known->second.route;
  }
  KnownRoute fresh{.route = *route,
                   .version = node->version,
                   .changed_ms = node->changed_ms,
                   .confirmed = clock_.now(),
                   .last_use = known == shown_.end() ? ++uses_ : known->second.last_use};
  const bool is_new = known == shown_.end() || known->second.version != fresh.version ||
                      known->second.route != fresh.route;
  if (is_new || !known->second.problem.empty())
    log_.info(fmt::format("{}{}", describe(table, fresh),
                          is_new ? "" : "; it is confirmed by ZooKeeper again"));
  shown_[table] = std::move(fresh);
  drop_oldest();
  return route;
}

void RouteTable::note_problem(const std::string& table, KnownRoute& known, std::string problem) {
  if (known.problem == problem) return;
  known.problem = std::move(problem);
  log_.warning(fmt::format("{}; last confirmed {} ago, and still used: {}", describe(table, known),
                           base::format_duration(age_of(known)), known.problem));
}

void RouteTable::drop_oldest() {
  if (shown_.size() <= options_.most_routes) return;
  shown_.erase(std::ranges::min_element(shown_, {},
                                        [](const auto& entry) { return entry.second.last_use; }));
}

void RouteTable::node_changed(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == path.npos || path.substr(0, slash) != options_.root) return;
  const auto table = path.substr(slash + 1);
  if (const auto look = looks_.find(table); look != looks_.end()) look->second->may_be_old = true;
  if (!shown_.contains(table)) return;
  due_.insert(table);
  has_due_.notify_all();
}

void RouteTable::connection_changed() {
  for (const auto& [table, look] : looks_) look->may_be_old = true;
  if (nodes_.is_connected()) {
    log_.info(fmt::format("{} is connected; {} routes are read again", nodes_.description(),
                          shown_.size()));
    for (const auto& [table, known] : shown_) due_.insert(table);
    has_due_.notify_all();
    return;
  }
  log_.warning(fmt::format("{} is not connected; {} routes stay as they are", nodes_.description(),
                           shown_.size()));
  for (auto& [table, known] : shown_)
    note_problem(table, known, nodes_.description() + " is not connected");
}

Routine<> RouteTable::confirm_again_and_again() {
  while (!tasks_.stopped()) {
    co_await clock_.sleep_for(options_.confirm_interval);  // no result
    for (const auto& [table, known] : shown_) due_.insert(table);
    has_due_.notify_all();
    remind();
  }
}

Routine<> RouteTable::keep_confirmed() {
  while (!tasks_.stopped()) {
    if (due_.empty() || !nodes_.is_connected()) {
      co_await has_due_.wait();  // no result
      continue;
    }
    const auto taken = std::exchange(due_, {});
    const std::vector<std::string> tables(taken.begin(), taken.end());
    co_await async::for_each(  // no result: confirm() notes what is wrong
        tables.size(), kReadsAtOnce, [&](size_t i) { return confirm(tables[i]); });
  }
}

// Never fails: what is wrong becomes the route's problem.
Task<> RouteTable::confirm(std::string table) {
  if (tasks_.stopped() || !shown_.contains(table)) co_return Result<void>();
  const auto path = CO_TRY(routes::node_path(options_.root, table));
  auto node = co_await nodes_.read(path, Deadline::in(clock_, options_.read_timeout));
  const auto known = shown_.find(table);
  on_read_(table, known != shown_.end());
  if (known == shown_.end()) co_return Result<void>();
  if (!node)
    note_problem(table, known->second, node.error().to_string());
  else
    (void)take(table, *std::move(node));
  co_return Result<void>();
}

void RouteTable::remind() {
  const auto now = clock_.now();
  if (now - reminded_ < options_.remind_interval) return;
  reminded_ = now;
  for (const auto& [table, known] : shown_)
    if (!known.problem.empty())
      log_.warning(fmt::format("{}; last confirmed {} ago: {}", describe(table, known),
                               base::format_duration(age_of(known)), known.problem));
}

}  // namespace pegmove::metaproxy
