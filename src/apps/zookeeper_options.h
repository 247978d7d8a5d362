// The options of the verbs that use ZooKeeper.
#pragma once

#include "apps/command.h"
#include "routes/zookeeper.h"

namespace pegmove::apps {

// Both may be given by a configuration file instead, and have no default here.
struct ZooKeeperArguments {
  std::string servers;
  std::string root;
};
void add_zookeeper_options(Verb& verb, ZooKeeperArguments& arguments);

// The root's default; what table-migrator's documentation uses.
inline constexpr const char* kUsualRoot = "/pegasus-cluster";

// Of --zookeeper and --zk-root. Errors: kInvalidArgument, naming the option.
Result<std::vector<net::HostPort>> zookeeper_servers(const ZooKeeperArguments& arguments);
Result<std::string> zookeeper_root(const ZooKeeperArguments& arguments);

}  // namespace pegmove::apps
