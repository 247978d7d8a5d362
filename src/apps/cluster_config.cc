#include "apps/cluster_config.h"

#include <ini.h>

#include <cstdlib>
#include <filesystem>

namespace pegmove::apps {
namespace {

constexpr const char* kClusters = "pegasus.clusters";

std::string find_file() {
  std::vector<std::string> places{"config.ini"};
  if (const char* home = std::getenv("HOME"))
    places.push_back(std::string(home) + "/.config/pegmove/config.ini");
  for (const auto& place : places)
    if (std::filesystem::exists(place)) return place;
  return "";
}

}  // namespace

Result<IniSections> read_ini(const std::string& path) {
  IniSections sections;
  auto keep = [](void* user, const char* section, const char* name, const char* value) {
    (*static_cast<IniSections*>(user))[section][name] = value;
    return 1;
  };
  int line = ini_parse(path.c_str(), keep, &sections);
  if (line < 0) return fail(Code::kNotFound, "config file " + path + " cannot be opened");
  if (line > 0)
    return fail(Code::kInvalidArgument,
                "config file " + path + " line " + std::to_string(line) + " is no INI");
  return sections;
}

Result<ClusterConfig> ClusterConfig::load(const std::string& path) {
  ClusterConfig config;
  const char* from_environment = std::getenv("PEGMOVE_CONFIG");
  config.path_ = !path.empty() ? path : from_environment ? from_environment : find_file();
  if (!config.path_.empty()) config.sections_ = TRY(read_ini(config.path_));
  return config;
}

Result<std::vector<net::HostPort>> ClusterConfig::metas_of(std::string_view name) const {
  if (net::looks_like_addresses(name)) return net::parse_host_port_list(name);
  auto section = sections_.find(kClusters);
  if (section != sections_.end())
    if (auto found = section->second.find(std::string(name)); found != section->second.end())
      return in_context(net::parse_host_port_list(found->second),
                        "cluster '" + std::string(name) + "' in " + path_);
  std::string text = "cluster '" + std::string(name) + "' is not known: ";
  if (path_.empty())
    text += "no config file was found; give one with --config (section [pegasus.clusters]) or ";
  else if (section == sections_.end())
    text += path_ + " has no section [pegasus.clusters]; add it or ";
  else {
    text += path_ + " knows";
    for (const auto& [known, metas] : section->second) text += " " + known;
    text += "; name one of them or ";
  }
  return fail(Code::kInvalidArgument, text + "write addresses as host:port");
}

}  // namespace pegmove::apps
