// How much clients write to a table: two readings of its servers' counters, which these keep since
// they were started. Names as in Pegasus 2.6; older servers do not tell.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "client/cluster.h"

namespace pegmove::migration::hot {

// Of one partition, since its primary was started. Requests, not rows.
struct PartitionWrites {
  std::string primary{};
  int64_t writes = 0;  // all of clients; what another cluster ships is not counted
  int64_t atomic = 0;  // of these: incr, check_and_set, check_and_mutate

  bool operator==(const PartitionWrites&) const = default;
};

struct WriteReading {
  async::Instant at{};
  int32_t partition_count = 0;
  std::map<int32_t, PartitionWrites> partitions{};  // those whose primary has answered
};
// Asks the primaries: secondaries count what they are sent, too (Pegasus:
// src/server/pegasus_write_service.cpp). Read-only. Errors: those of the table's configuration.
Task<WriteReading> read_writes(client::Cluster& cluster, std::string table, Deadline deadline);
// Of one server's answer, without the primary. Errors: kProtocol.
Result<std::map<int32_t, PartitionWrites>> parse_partition_writes(std::string_view body);

struct WriteLoad {
  async::milliseconds window{0};  // between the readings
  int64_t writes = 0;             // in it
  int64_t atomic = 0;
  int64_t atomic_since_start = 0;  // of the servers
  int32_t partitions = 0;          // that the table has
  int32_t silent = 0;              // of these, those that are not in the numbers

  int64_t per_second() const;  // writes
};
// A partition whose primary has not answered twice, or is another one now, is silent.
WriteLoad load_between(const WriteReading& first, const WriteReading& last);

}  // namespace pegmove::migration::hot
