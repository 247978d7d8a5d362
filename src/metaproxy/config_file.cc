#include "metaproxy/config_file.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/units.h"
#include "routes/route.h"

namespace pegmove::metaproxy {
namespace {

constexpr int64_t kLongestSessionMs = 3'600'000;
constexpr int64_t kMostRoutes = 1'000'000;

std::unexpected<Error> wrong_key(std::string_view key, const YAML::Node& at,
                                 std::string_view what) {
  const auto line = at.Mark().line + 1;
  return fail(Code::kInvalidArgument, line > 0
                                          ? fmt::format("line {}: {} must be {}", line, key, what)
                                          : fmt::format("{} must be {}", key, what));
}

Result<std::vector<std::string>> text_list(const YAML::Node& node, std::string_view key,
                                           std::string_view what) {
  if (!node.IsSequence()) return wrong_key(key, node, what);
  std::vector<std::string> texts;
  for (const auto& item : node) {
    if (!item.IsScalar()) return wrong_key(key, item, what);
    texts.push_back(item.Scalar());
  }
  return texts;
}

Result<int64_t> whole_number(const YAML::Node& node, std::string_view key, int64_t most) {
  auto number = node.IsScalar() ? base::parse_integer(node.Scalar(), 1, most)
                                : fail(Code::kInvalidArgument, "");
  if (!number) return wrong_key(key, node, fmt::format("a number from 1 to {}", most));
  return number;
}

Result<void> take_zookeeper(const YAML::Node& section, ConfigFile& out) {
  for (const auto& entry : section) {
    const auto key = "zookeeper." + entry.first.as<std::string>();
    const auto& value = entry.second;
    if (key == "zookeeper.address") {
      constexpr auto kWhat = "a list of host:port, like [10.0.0.1:2181]";
      for (const auto& text : TRY(text_list(value, key, kWhat))) {
        auto server = net::parse_host_port(text);
        if (!server) return wrong_key(key, value, kWhat);
        out.zookeeper.push_back(*std::move(server));
      }
    } else if (key == "zookeeper.root") {
      auto root = value.IsScalar() ? routes::check_root(value.Scalar())
                                   : fail(Code::kInvalidArgument, "it is not a text");
      if (!root) return wrong_key(key, value, "a path like /pegasus-cluster");
      out.root = value.Scalar();
    } else if (key == "zookeeper.timeout") {
      out.session_timeout = async::milliseconds(TRY(whole_number(value, key, kLongestSessionMs)));
    } else if (key == "zookeeper.table_watcher_cache_capacity") {
      out.most_routes = TRY(whole_number(value, key, kMostRoutes));
    } else {
      out.notes.push_back(key + " is not known, and has no effect");
    }
  }
  return {};
}

// Names of labels as Prometheus has them.
bool is_label(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_';
         });
}

Result<void> take_metric(const YAML::Node& section, ConfigFile& out) {
  for (const auto& entry : section) {
    const auto key = "metric." + entry.first.as<std::string>();
    const auto& value = entry.second;
    if (key == "metric.type") {
      const auto type = value.IsScalar() ? value.Scalar() : "";
      if (type != "prometheus" && type != "falcon")
        return wrong_key(key, value, "prometheus or falcon");
      if (type == "falcon")
        out.notes.push_back(
            "metric.type falcon: metrics are not pushed; fetch them from "
            "http://ADDRESS/metrics of --listen, as text for Prometheus");
    } else if (key == "metric.tags") {
      constexpr auto kWhat = "a list of label=value, like [region=local]";
      for (const auto& tag : TRY(text_list(value, key, kWhat))) {
        const auto equals = tag.find('=');
        if (equals == tag.npos || !is_label(tag.substr(0, equals)))
          return wrong_key(key, value, kWhat);
        out.labels[tag.substr(0, equals)] = tag.substr(equals + 1);
      }
    } else {
      out.notes.push_back(key + " is not known, and has no effect");
    }
  }
  return {};
}

Result<ConfigFile> take_all(const YAML::Node& root) {
  ConfigFile out;
  if (root.IsNull()) return out;
  if (!root.IsMap()) return wrong_key("the file", root, "a map with zookeeper and metric");
  for (const auto& entry : root) {
    const auto key = entry.first.as<std::string>();
    if (key != "zookeeper" && key != "metric") {
      out.notes.push_back(key + " is not known, and has no effect");
      continue;
    }
    if (entry.second.IsNull()) continue;
    if (!entry.second.IsMap()) return wrong_key(key, entry.second, "a map of keys and values");
    TRY(key == "zookeeper" ? take_zookeeper(entry.second, out) : take_metric(entry.second, out));
  }
  return out;
}

}  // namespace

Result<ConfigFile> parse_config_file(const std::string& yaml) {
  try {
    return take_all(YAML::Load(yaml));
  } catch (const YAML::Exception& wrong) {
    return fail(Code::kInvalidArgument, "it is not YAML: " + base::printable(wrong.what()));
  }
}

}  // namespace pegmove::metaproxy
