#include "routes/route.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/json_text.h"

namespace pegmove::routes {
namespace {

// A node of ZooKeeper has at most a mebibyte; a route is one line.
constexpr size_t kMostRouteBytes = 64 << 10;
constexpr size_t kMostMetas = 64;
constexpr size_t kMostNameBytes = 255;

constexpr std::string_view kRightForm =
    R"(write it like {"cluster_name": "c1", "meta_addrs": "10.0.0.1:34601,10.0.0.2:34601"})";

std::unexpected<Error> wrong_route(std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("{}; {}", what, kRightForm));
}

// What logs, metrics and JSON may have as it is.
bool is_label(std::string_view text) {
  return text.size() <= kMostNameBytes && base::is_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return uint8_t(c) < 0x20 || c == 0x7f; });
}

// ZooKeeper refuses "." and ".." as parts of a path, and control characters; its paths are UTF-8.
bool is_node_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && is_label(name);
}

}  // namespace

std::string Route::metas_text() const { return net::list_text(metas); }

Result<Route> parse_route(std::string_view json) {
  if (json.size() > kMostRouteBytes)
    return wrong_route(
        fmt::format("the node has {} bytes, more than {}", json.size(), kMostRouteBytes));
  const auto fields = base::parse_json<nlohmann::json>(json);
  if (!fields.is_object())
    return wrong_route(fmt::format("the node's data is not a JSON object: {}",
                                   base::printable(json.substr(0, 200))));
  const auto name = fields.find("cluster_name");
  const auto metas = fields.find("meta_addrs");
  if (metas == fields.end() || !metas->is_string())
    return wrong_route("the node has no text \"meta_addrs\"");
  if (name != fields.end() && !name->is_string())
    return wrong_route("the node's \"cluster_name\" is not a text");
  if (name != fields.end() && !is_label(name->get_ref<const std::string&>()))
    return wrong_route(
        fmt::format("the node's \"cluster_name\" is '{}': too long, or with control characters",
                    base::printable(name->get_ref<const std::string&>())));
  auto parsed = net::parse_host_port_list(metas->get_ref<const std::string&>());
  if (!parsed) return wrong_route("the node's \"meta_addrs\": " + parsed.error().message());
  if (parsed->size() > kMostMetas)
    return wrong_route(
        fmt::format("the node names {} meta servers, more than {}", parsed->size(), kMostMetas));
  return Route{name == fields.end() ? "" : name->get<std::string>(), *std::move(parsed)};
}

std::string route_text(const Route& route) {
  return fmt::format(R"({{"cluster_name": {}, "meta_addrs": {}}})",
                     base::json_text(nlohmann::json(route.cluster)),
                     base::json_text(nlohmann::json(route.metas_text())));
}

Result<std::string> check_root(std::string_view root) {
  if (root == "/") return "";
  std::string_view rest = root;
  bool is_good = !root.empty();
  while (is_good && !rest.empty()) {
    is_good = rest.front() == '/';
    const auto next = rest.find('/', 1);
    is_good = is_good && is_node_name(rest.substr(1, next == rest.npos ? next : next - 1));
    rest = next == rest.npos ? "" : rest.substr(next);
  }
  if (!is_good)
    return fail(
        Code::kInvalidArgument,
        fmt::format("'{}' is not a path of ZooKeeper; write it like /pegasus-cluster, with no "
                    "slash at its end",
                    base::printable(root)));
  return std::string(root);
}

Result<std::string> node_path(const std::string& root, std::string_view table) {
  if (!is_node_name(table) || table.find('/') != table.npos)
    return fail(
        Code::kInvalidArgument,
        fmt::format("'{}' cannot be the name of a node in ZooKeeper", base::printable(table)));
  return fmt::format("{}/{}", root, table);
}

}  // namespace pegmove::routes
