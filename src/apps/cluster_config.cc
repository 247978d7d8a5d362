#include "apps/cluster_config.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "base/small_file.h"
#include "base/units.h"

namespace pegmove::apps {
namespace {

constexpr const char* kClusters = "pegasus.clusters";
constexpr const char* kGroup = "duplication-group";
constexpr size_t kMostConfigBytes = 16 << 20;

// "" when there is none; `unseen` gets the places where that is not known, with the reasons.
std::string find_file(std::string& unseen) {
  std::vector<std::string> places{"config.ini"};
  if (const char* home = std::getenv("HOME"))
    places.push_back(std::string(home) + "/.config/pegmove/config.ini");
  for (const auto& place : places) {
    std::error_code error;
    if (std::filesystem::exists(place, error)) return place;
    if (error) unseen += fmt::format(" ({}: {})", place, error.message());
  }
  return "";
}

}  // namespace

Result<IniSections> read_ini(const std::string& path) {
  const auto text = TRY(in_context(base::read_input(path, kMostConfigBytes), "config file"));
  return in_context(base::parse_ini(text, {.comments_behind_values = true}), "config file " + path);
}

Result<std::map<std::string, uint8_t>> duplication_group(const IniSections& sections,
                                                         const std::string& own_name) {
  std::map<std::string, uint8_t> ids;
  auto section = sections.find(kGroup);
  if (section == sections.end()) return ids;
  std::map<uint8_t, std::string> names;
  for (const auto& [name, text] : section->second) {
    auto id = uint8_t(
        TRY(in_context(base::parse_integer(text, 1, 127), fmt::format("[{}] {}", kGroup, name))));
    auto [other, is_new] = names.emplace(id, name);
    if (!is_new)
      return fail(Code::kInvalidArgument, fmt::format("[{}] gives {} and {} the same id, {}",
                                                      kGroup, other->second, name, text));
    ids[name] = id;
  }
  if (!ids.empty() && !ids.contains(own_name))
    return fail(Code::kInvalidArgument,
                fmt::format("[{}] does not contain this cluster, {}; add it with an id of its own",
                            kGroup, own_name));
  return ids;
}

Result<std::map<std::string, std::vector<net::HostPort>>> remote_clusters(
    const IniSections& sections) {
  std::map<std::string, std::vector<net::HostPort>> clusters;
  const auto section = sections.find(kClusters);
  if (section == sections.end()) return clusters;
  for (const auto& [name, metas] : section->second)
    clusters[name] =
        TRY(in_context(net::parse_host_port_list(metas), fmt::format("[{}] {}", kClusters, name)));
  return clusters;
}

Result<blockstore::Providers> block_services(const IniSections& sections) {
  constexpr std::string_view kPrefix = "block_service.";
  blockstore::Providers providers;
  for (const auto& [section, values] : sections) {
    if (!section.starts_with(kPrefix)) continue;
    const auto value = [&values](const char* key) {
      const auto found = values.find(key);
      return found == values.end() ? std::string() : found->second;
    };
    blockstore::Provider provider{
        .name = section.substr(kPrefix.size()), .type = value("type"), .args = value("args")};
    if (provider.name.empty() || provider.type.empty())
      return fail(Code::kInvalidArgument,
                  fmt::format("[{}] needs a name after the dot, a type and args", section));
    auto name = provider.name;
    providers.emplace(std::move(name), std::move(provider));
  }
  return providers;
}

Result<ClusterConfig> ClusterConfig::load(const std::string& path) {
  ClusterConfig config;
  const char* from_environment = std::getenv("PEGMOVE_CONFIG");
  config.path_ = !path.empty()      ? path
                 : from_environment ? from_environment
                                    : find_file(config.unseen_);
  if (!config.path_.empty()) config.sections_ = TRY(read_ini(config.path_));
  return config;
}

Result<std::vector<net::HostPort>> ClusterConfig::metas_of(std::string_view name) const {
  if (net::looks_like_addresses(name)) return net::parse_host_port_list(name);
  auto section = sections_.find(kClusters);
  if (section != sections_.end())
    if (auto found = section->second.find(std::string(name)); found != section->second.end())
      return in_context(net::parse_host_port_list(found->second),
                        fmt::format("cluster '{}' in {}", name, path_));
  std::string text = fmt::format("cluster '{}' is unknown: ", name);
  if (path_.empty())
    text += fmt::format(
        "no config file was found{}; give one that has a section [pegasus.clusters] "
        "with --config, or ",
        unseen_);
  else if (section == sections_.end())
    text += path_ + " has no section [pegasus.clusters]; add it, or ";
  else {
    text += path_ + " has the clusters";
    for (const auto& [known, metas] : section->second) text += " " + known;
    text += "; use one of these, or ";
  }
  return fail(Code::kInvalidArgument,
              text + "give the addresses of the meta servers as host:port,...");
}

Result<std::string> ClusterConfig::metas_text(std::string_view name) const {
  std::string text;
  for (const auto& meta : TRY(metas_of(name))) {
    if (!text.empty()) text += ',';
    text += meta.to_string();
  }
  return text;
}

}  // namespace pegmove::apps
