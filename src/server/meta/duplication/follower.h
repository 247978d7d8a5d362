// The target table of a full duplication (`add_dup -s`), as the source's meta server makes it on
// the other cluster.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/client.h"
#include "net/address.h"

namespace pegmove::server::meta {

struct FollowerRequest {
  std::string remote;                // the target cluster's name
  std::vector<net::HostPort> metas;  // its meta servers
  std::string table;                 // there
  int32_t partition_count = 0;
  int32_t replica_count = 1;
  std::string app_type;
  std::map<std::string, std::string> envs;  // of our table
  std::string own_cluster;
  std::string own_metas;  // "host:port,host:port"
  std::string own_table;
};

// The client and the request outlive the tasks.

// Creates the table there, or tells the cluster that it is complete: `status` is "creating" or
// "created". Repeatable. Errors: those of the cluster, with what to do.
Task<> create_follower(client::Client& client, const FollowerRequest& request, std::string status,
                       Deadline deadline);

// Whether all partitions of the table serve. Errors: those of Pegasus's
// do_check_follower_app_if_create_completed.
Task<> check_follower(client::Client& client, const FollowerRequest& request, Deadline deadline);

}  // namespace pegmove::server::meta
