#include "testing/two_clusters.h"

namespace pegmove::testing {

TwoClusters::TwoClusters(TestClusterOptions source_options, TestClusterOptions target_options)
    : source_servers(source_time, std::move(source_options)),
      target_servers(target_time, std::move(target_options)),
      client_(context_, clock_),
      source(connect(source_servers.meta_address().to_string())),
      target(connect(target_servers.meta_address().to_string())) {}

std::shared_ptr<client::Cluster> TwoClusters::connect(const std::string& metas) {
  return must(client::Cluster::connect(*client_, *net::parse_host_port_list(metas), deadline()));
}

std::shared_ptr<client::Table> TwoClusters::create_table(
    const std::shared_ptr<client::Cluster>& cluster, const std::string& name, int partition_count) {
  must(cluster->create_table(name, {.partition_count = partition_count, .replica_count = 1},
                             deadline()));
  must(cluster->wait_until_ready(name, {}, deadline()));
  return open_table(cluster, name);
}

std::shared_ptr<client::Table> TwoClusters::open_table(
    const std::shared_ptr<client::Cluster>& cluster, const std::string& name) {
  return must(client::Table::open(cluster, name, deadline()));
}

}  // namespace pegmove::testing
