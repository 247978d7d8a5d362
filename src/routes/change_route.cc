#include "routes/change_route.h"

#include <fmt/format.h>

#include <utility>

namespace pegmove::routes {
namespace {

// After a lost connection: how long to look what became of the change.
constexpr async::milliseconds kLook{10'000};

RouteNode route_node(std::string table, std::string path, Node node) {
  RouteNode out{.table = std::move(table), .path = std::move(path), .node = std::move(node)};
  if (auto route = parse_route(out.node.data))
    out.route = *std::move(route);
  else
    out.problem = route.error().to_string();
  return out;
}

Error no_node(const Nodes& nodes, const std::string& path) {
  return Error(Code::kNotFound,
               fmt::format("{} has no node {}; `pegmove routes ls` lists the tables, and `pegmove "
                           "routes set --create` makes a node",
                           nodes.description(), path));
}

Error other_version(const std::string& path, int32_t found, int32_t wanted) {
  return Error(
      Code::kBusy,
      fmt::format("node {} has version {}, not {}: somebody else has changed it. Nothing was "
                  "changed; look at it with `pegmove routes show`, then give its version "
                  "with --version",
                  path, found, wanted));
}

bool is_unknown_outcome(const Error& error) {
  return error.code() == Code::kUnreachable || error.code() == Code::kTimeout;
}

// What became of a write or a create whose answer was lost: the node shows it, since the next
// version with this data is ours.
Task<int32_t> find_out(Nodes& nodes, Clock& clock, std::string path, std::string text,
                       int32_t wanted, Error why) {
  auto now = co_await nodes.read(path, Deadline::in(clock, kLook));
  if (!now)
    co_return fail(std::move(why).with_context(
        fmt::format("it is not known whether node {} was changed; look at it with `pegmove routes "
                    "show` before the next step",
                    path)));
  if (*now && (*now)->version == wanted && (*now)->data == text) co_return wanted;
  if (*now && (*now)->version >= wanted)
    co_return fail(other_version(path, (*now)->version, wanted - 1));
  co_return fail(
      std::move(why).with_context(fmt::format("node {} was not changed; try again", path)));
}

Task<ChangedRoute> create_route(Nodes& nodes, Clock& clock, std::string path, std::string text,
                                Deadline deadline) {
  auto created = co_await nodes.create(path, text, deadline);
  if (!created && is_unknown_outcome(created.error()))
    CO_TRY(co_await find_out(nodes, clock, path, text, 0, std::move(created).error()));
  else if (!created && created.error().code() == Code::kNotFound)
    co_return fail(
        Code::kNotFound,
        fmt::format("node {} cannot be created: {} has no node above it; create that with "
                    "ZooKeeper's own tools, or give another --zk-root",
                    path, nodes.description()));
  else
    CO_TRY(std::move(created));
  co_return ChangedRoute{};
}

}  // namespace

Task<RouteNode> read_route(Nodes& nodes, std::string root, std::string table, Deadline deadline) {
  auto path = CO_TRY(node_path(root, table));
  auto node = CO_TRY(co_await nodes.read(path, deadline));
  if (!node) co_return fail(no_node(nodes, path));
  co_return route_node(std::move(table), std::move(path), *std::move(node));
}

Task<std::vector<RouteNode>> list_routes(Nodes& nodes, std::string root, Deadline deadline) {
  std::vector<RouteNode> all;
  for (auto& table : CO_TRY(co_await nodes.children(root, deadline))) {
    auto path = CO_TRY(node_path(root, table));
    auto node = CO_TRY(co_await nodes.read(path, deadline));
    if (node) all.push_back(route_node(std::move(table), std::move(path), *std::move(node)));
  }
  co_return all;
}

Task<ChangedRoute> change_route(Nodes& nodes, Clock& clock, std::string root, RouteChange change,
                                Deadline deadline) {
  const auto path = CO_TRY(node_path(root, change.table));
  const auto text = route_text(change.to);
  auto found = CO_TRY(co_await nodes.read(path, deadline));
  if (!found && change.version) co_return fail(no_node(nodes, path));
  if (!found && change.may_create)
    co_return co_await create_route(nodes, clock, path, text, deadline);
  if (!found) co_return fail(no_node(nodes, path));
  const auto version = found->version;
  if (change.version && *change.version != version)
    co_return fail(other_version(path, version, *change.version));
  ChangedRoute changed{.before = route_node(change.table, path, *std::move(found))};
  auto written = co_await nodes.write(path, text, version, deadline);
  if (!written && is_unknown_outcome(written.error()))
    written = co_await find_out(nodes, clock, path, text, version + 1, std::move(written).error());
  else if (!written && written.error().code() == Code::kBusy)
    co_return fail(std::move(written).error().with_context(
        "nothing was changed; look at the node with `pegmove routes show` and repeat the command"));
  changed.version = CO_TRY(std::move(written));
  co_return changed;
}

}  // namespace pegmove::routes
