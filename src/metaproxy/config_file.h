// The configuration file of the original MetaProxy, YAML. Pegasus: pegasus-kv/meta-proxy
// (config/config.go, config/yaml/meta-proxy-example.yml).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/clock.h"
#include "net/address.h"

namespace pegmove::metaproxy {

struct ConfigFile {
  std::vector<net::HostPort> zookeeper{};                // zookeeper.address
  std::string root{};                                    // zookeeper.root
  std::optional<async::milliseconds> session_timeout{};  // zookeeper.timeout
  std::optional<int64_t> most_routes{};                  // zookeeper.table_watcher_cache_capacity
  std::map<std::string, std::string> labels{};           // metric.tags
  // For the log: what in the file has no effect here.
  std::vector<std::string> notes{};
};

// Everything may be missing. Errors: kInvalidArgument, naming the key, what it must be, and the
// line where that is known.
Result<ConfigFile> parse_config_file(const std::string& yaml);

}  // namespace pegmove::metaproxy
