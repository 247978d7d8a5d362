// What the meta server asks a node to do for the duplications of a partition, and what the node
// reports.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/address.h"

namespace pegmove::duplication {

// Pegasus: duplication_fail_mode. What a shipper does with log entries that cannot be read.
enum class FailMode { kSlow = 0, kSkip = 1, kFast = 2 };

// One duplication of one partition.
struct Assignment {
  int32_t id = 0;                    // dupid
  std::string remote;                // the target cluster's name
  std::vector<net::HostPort> metas;  // its meta servers: [pegasus.clusters]
  std::string remote_table;
  FailMode fail_mode = FailMode::kSlow;
  bool ships = false;  // DS_LOG; in the other states the log is only kept
  // What the target has for certain, as noted by the meta server on disk. Shipping begins behind it
  // after a restart, and the log up to the smallest of a partition may be dropped.
  int64_t confirmed_decree = 0;
};

// Of one duplication of one partition, now.
struct Progress {
  int32_t id = 0;
  int64_t shipped_decree = 0;  // the target has confirmed everything up to it
  int64_t last_decree = 0;     // of the partition's last successful write
  int64_t waiting_mutations = 0;
  int64_t waiting_bytes = 0;
  int64_t oldest_timestamp_us = 0;  // of what waits; 0: nothing
  std::string waits_for;            // why nothing is sent, for people; empty: nothing hinders it
  std::string error;  // shipping has ended with it until the duplication is removed: a hole, say
};

}  // namespace pegmove::duplication
