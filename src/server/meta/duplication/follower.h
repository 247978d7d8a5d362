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
// "created". Its envs are those of our table and the four that name us; where our table is a
// follower itself, its own four are replaced (real servers send the old ones). Repeatable. Errors
// have the wire code of the answer, and say what to do: kAlreadyExists, a table of the name is
// there and does not follow ours; kInvalidArgument, the cluster refuses the counts or envs;
// kUnreachable, kTimeout. Pegasus: meta_duplication_service::create_follower_app_for_duplication.
Task<> create_follower(client::Client& client, const FollowerRequest& request, std::string status,
                       Deadline deadline);

// Whether no table of the name is there. Errors: kAlreadyExists, with ERR_APP_EXIST and what to do;
// those of the answer, from which nothing follows.
Task<> check_absent(client::Client& client, const FollowerRequest& request, Deadline deadline);

// Whether all partitions of the table serve, and so have fetched their checkpoints. Errors, with
// the wire codes of Pegasus's do_check_follower_app_if_create_completed: kNotFound; kRefused,
// another partition count (ERR_INCONSISTENT_STATE); kBusy, partitions without a primary
// (ERR_INACTIVE_STATE) or, with several replicas, without a secondary (ERR_NOT_ENOUGH_MEMBER).
Task<> check_follower(client::Client& client, const FollowerRequest& request, Deadline deadline);

}  // namespace pegmove::server::meta
