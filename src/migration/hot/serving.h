// How a side serves clients: requests of the table per second, failed ones, and atomic writes that
// its duplication refuses. Before Pegasus 2.6 the servers do not say it over HTTP.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/cluster.h"

namespace pegmove::migration::hot {

// The names of Pegasus 2.6 (docs: metrics). Earlier: recent.read.fail.count,
// recent.write.fail.count, dup.disabled_non_idempotent_write_count.
inline constexpr const char* kFailedReads = "read_failed_requests";
inline constexpr const char* kFailedWrites = "write_failed_requests";
inline constexpr const char* kRefusedAtomic = "dup_rejected_non_idempotent_write_requests";

// Counters of all servers of a cluster, since these were started.
struct ServedRequests {
  int64_t reads = 0, writes = 0;                // of the table
  int64_t failed_reads = 0, failed_writes = 0;  // of all tables: neither done nor throttled
  int64_t refused_atomic = 0;  // of the table: incr, check_and_*, while it is duplicated
  int silent = 0;              // servers that did not answer: the numbers lack theirs
};
// Read-only. Errors: those of the list of servers.
Task<ServedRequests> served_requests(client::Cluster& cluster, int32_t app_id, Deadline deadline);

struct ServedRate {  // per second
  int64_t reads = 0, writes = 0;
  bool operator==(const ServedRate&) const = default;
};

// What has happened since the watch began, and how fast.
class ServingMeter {
 public:
  // A server that restarts counts from zero: what it has counted before is kept.
  void add(async::Instant at, const ServedRequests& now);

  std::optional<ServedRate> rate() const;  // over the last readings; nullopt: not known yet
  int64_t failed_reads() const { return failed_reads_; }
  int64_t failed_writes() const { return failed_writes_; }
  int64_t refused_atomic() const { return refused_; }

 private:
  struct Reading {
    async::Instant at{};
    int64_t reads = 0, writes = 0;
  };
  std::vector<Reading> readings_;
  std::optional<ServedRequests> last_;
  int64_t failed_reads_ = 0, failed_writes_ = 0;
  int64_t refused_ = 0;
};

// JSON; "null": it is not known.
std::string to_json(const std::optional<ServedRate>& rate);
// Errors: kCorrupt.
Result<std::optional<ServedRate>> served_rate_from_json(std::string_view text);
// "1,200 reads/s, 34 writes/s"; "?" when it is not known.
std::string to_text(const std::optional<ServedRate>& rate);
// What is seen after a cutover, in one line; `before`: of the source.
std::string to_line(const ServingMeter& target, const ServingMeter& source,
                    const std::optional<ServedRate>& before);

}  // namespace pegmove::migration::hot
