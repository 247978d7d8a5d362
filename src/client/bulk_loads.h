// Requests for bulk loads to a cluster's meta server. Pegasus: idl/bulk_load.thrift;
// src/meta/meta_bulk_load_service.cpp.
#pragma once

#include <string>
#include <vector>

#include "bulk_load_types.h"
#include "client/cluster.h"

namespace pegmove::client {

struct LoadRequest {
  std::string table;
  std::string cluster;   // the folder of the files in the store
  std::string provider;  // [block_service.NAME] of the servers
  std::string path;      // the parent of the cluster's folder
  bool ingest_behind = false;
};

enum class LoadControl { kPause, kRestart, kCancel, kForceCancel };

// One replica of a partition.
struct LoadReplica {
  std::string node;  // "host:port"
  int32_t percent = 0;
  wire::ErrorCode download_error = wire::ErrorCode::kOk;
  wire::ingestion_status ingestion = wire::IS_INVALID;
  bool is_cleaned_up = false;
  bool is_paused = false;
};
struct LoadPartition {
  wire::bulk_load_status status = wire::BLS_INVALID;
  std::vector<LoadReplica> replicas;
};
struct LoadStatus {
  wire::bulk_load_status status = wire::BLS_INVALID;
  std::vector<LoadPartition> partitions;
  int32_t max_replica_count = 1;
  bool is_loading = false;
  std::string hint;
};

// Errors of all: as Cluster's calls, with the server's hint; kNotFound: no such table.

// Returns when the load has started; load_status() shows its end. Errors: kBusy: the table, or
// another one, is being loaded; kInvalidArgument: the provider; kNotFound and kCorrupt: the set's
// bulk_load_info; kRefused: it is that of another table or partition count, or the table was not
// created for loads behind.
Task<> start_load(Cluster& cluster, LoadRequest request, Deadline deadline);
// Errors: kRefused: not possible in the load's status.
Task<> control_load(Cluster& cluster, std::string table, LoadControl control, Deadline deadline);
// For a failed load the error is that of the load, with the server's hint.
Task<LoadStatus> load_status(Cluster& cluster, std::string table, Deadline deadline);
// Clears the result of the last load. Returns the server's text. Errors: kRefused: it still runs.
Task<std::string> clear_load(Cluster& cluster, std::string table, Deadline deadline);

}  // namespace pegmove::client
