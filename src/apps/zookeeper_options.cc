#include "apps/zookeeper_options.h"

#include "routes/route.h"

namespace pegmove::apps {

void add_zookeeper_options(Verb& verb, ZooKeeperArguments& arguments) {
  verb.add_option("--zookeeper", arguments.servers, "servers of ZooKeeper: host:port,...");
  verb.add_option("--zk-root", arguments.root,
                  "node of ZooKeeper below which each table has a node; default: /pegasus-cluster");
}

Result<std::vector<net::HostPort>> zookeeper_servers(const ZooKeeperArguments& arguments) {
  if (arguments.servers.empty())
    return fail(Code::kInvalidArgument,
                "no server of ZooKeeper is given; name them with --zookeeper host:port,...");
  return in_context(net::parse_host_port_list(arguments.servers), "--zookeeper");
}

Result<std::string> zookeeper_root(const ZooKeeperArguments& arguments) {
  return in_context(routes::check_root(arguments.root.empty() ? kUsualRoot : arguments.root),
                    "--zk-root");
}

}  // namespace pegmove::apps
