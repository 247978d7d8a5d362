// How a side serves clients after a cutover: requests of the table per second, failed ones, and
// atomic writes that its duplication refuses. The names are those of Pegasus 2.6 (docs: metrics;
// earlier: recent.read.fail.count, recent.write.fail.count,
// dup.disabled_non_idempotent_write_count).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cluster.h"

namespace pegmove::migration::hot {

// Counters of all servers of a cluster, since these were started.
struct ServedRequests {
  int64_t requests = 0;        // reads and writes of the table
  int64_t failed = 0;          // of all tables: neither done nor throttled
  int64_t refused_atomic = 0;  // of the table: incr, check_and_*, while it is duplicated
  int silent = 0;              // servers that did not answer: the numbers lack theirs
};
// Read-only. Errors: those of the list of servers.
Task<ServedRequests> served_requests(client::Cluster& cluster, int32_t app_id, Deadline deadline);

// What has happened since the watch began, and how fast.
class ServingMeter {
 public:
  // A server that restarts counts from zero: what it has counted before is kept.
  void add(async::Instant at, const ServedRequests& now);

  std::optional<int64_t> per_second() const;  // over the last readings; nullopt: not known yet
  int64_t failed() const { return failed_; }
  int64_t refused_atomic() const { return refused_; }

 private:
  struct Reading {
    async::Instant at{};
    int64_t requests = 0;
  };
  std::vector<Reading> readings_;
  std::optional<ServedRequests> last_;
  int64_t failed_ = 0;
  int64_t refused_ = 0;
};

// "target: 1,234 requests/s, source: 0; failed on the target since the cutover: 0, atomic writes
// refused: 0"
std::string to_line(const ServingMeter& target, const ServingMeter& source);

}  // namespace pegmove::migration::hot
