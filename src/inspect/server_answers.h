// The servers' answers over HTTP and to remote commands, parsed into values. Everything is checked:
// a cluster may have another version, or not be Pegasus at all.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::inspect {

// Pegasus's release, of GET /version: {"Version":"2.6.0-SNAPSHOT","GitCommit":"..."} (Pegasus:
// src/http/builtin_http_calls.cpp).
struct ServerVersion {
  int major = 0;
  int minor = 0;
  std::string text;

  bool is_at_least(int other_major, int other_minor) const {
    return major != other_major ? major > other_major : minor >= other_minor;
  }
};
Result<ServerVersion> parse_version(std::string_view body);

// The parts of a replica server's configuration that matter here, of the remote command
// `config-dump` (Pegasus: configuration::dump in src/utils/configuration.cpp). Missing entries have
// their defaults. Nothing else of the file is kept: it may contain secrets.
struct ServerConfig {
  std::map<std::string, int> duplication_group;  // [duplication-group]
  std::string cluster_name;        // its name in the group: dup_cluster_name, else cluster_name
  bool ignores_other_ids = false;  // dup_ignore_other_cluster_ids
  // [pegasus.clusters]: the meta servers of other clusters by name. Embedded clusters do not show
  // it.
  std::map<std::string, std::string> clusters = {};
  std::string cold_backup_root = {};  // "": backups are refused
  bool enable_acl = false;
  bool enable_ranger_acl = false;

  // The own cluster's id in the group; nullopt: it has none.
  std::optional<int> id_of(const std::string& cluster) const;
  std::optional<int> own_id() const { return id_of(cluster_name); }
};
Result<ServerConfig> parse_config_dump(std::string_view text);

// The data version of each partition, of GET /replica/data_version:
// {"<partition>":{"data_version":"1"}} (Pegasus: src/replica/replica_http_service.cpp).
Result<std::map<int32_t, int>> parse_data_versions(std::string_view body);

// Of GET /metrics: the server's clock, and the sum of the requested values (Pegasus:
// src/utils/metrics.cpp).
struct MetricsAnswer {
  int64_t timestamp_us = 0;
  int64_t sum = 0;
};
Result<MetricsAnswer> parse_metrics(std::string_view body);

// Of GET /metrics of replicas: the values that are whole numbers, by partition and name. The
// request chooses the table.
using PartitionMetrics = std::map<int32_t, std::map<std::string, int64_t>>;
Result<PartitionMetrics> parse_partition_metrics(std::string_view body);

// A duplication of a table to another cluster, of GET /meta/app/duplication (Pegasus:
// duplication_query_response_to_string in src/common/duplication_common.cpp). Removed ones are left
// out.
struct DuplicationInfo {
  std::string remote;
  std::string remote_table;  // empty: the same name (reported since 2.6)
  std::string status;        // "DS_LOG", ...
};
Result<std::vector<DuplicationInfo>> parse_duplications(std::string_view body);

}  // namespace pegmove::inspect
