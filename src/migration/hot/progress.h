// How far a duplication is, as the source's replica servers see it. The meta server's view hides a
// backlog: it repeats a partition's last report until that partition confirms something. Pure: no
// clock, no network.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace pegmove::migration::hot {

// One duplication of one partition.
struct ShippedDecrees {
  int32_t id = 0;
  std::string remote;        // the target cluster
  std::string remote_table;  // "": servers before 2.6 do not say
  int64_t confirmed = -1;    // the target has everything up to it; -1: shipping has not begun
  int64_t persisted = -1;    // of it, what the meta server has confirmed to have stored
};

// A replica, as its server describes it.
struct ReplicaProgress {
  Gpid gpid{};
  bool is_primary = false;
  int64_t max_prepared = 0;
  int64_t last_committed = 0;
  int64_t last_applied = 0;
  std::vector<ShippedDecrees> duplications{};
};

// The answer to the remote command `replica.query-progress APPID`. Replicas that the server does
// not find are left out: absence says nothing. Errors: kUnsupported: the server does not know the
// command; kProtocol: anything else that such an answer cannot be (another table, a replica twice,
// decrees that are none). Pegasus: src/replica/replica_stub.cpp, replica::query_progress in
// src/replica/replica_chkpt.cpp.
Result<std::vector<ReplicaProgress>> parse_query_progress(std::string_view text, int32_t app_id);

// Of the HTTP answer of /replica/duplication?appid=N, by partition: the mutations that duplication
// `id` has not shipped. A server that was just started does not list partitions that it serves.
// Errors: kProtocol. Pegasus: src/replica/duplication/duplication_sync_timer.cpp, and
// src/replica/replica_http_service.cpp.
Result<std::map<int32_t, int64_t>> parse_unshipped(std::string_view body, int32_t id);

// What one look at all partitions found.
struct Lag {
  int partitions = 0;          // that the table has
  int answered = 0;            // whose primary has said how far the duplication is
  int begun = 0;               // of these, those where shipping has begun
  int64_t mutations = 0;       // of those: written, and not confirmed by the target
  int64_t last_committed = 0;  // sum of these decrees

  // Every partition was seen, and ships.
  bool is_whole() const { return partitions > 0 && begun == partitions; }
};

// The lag over time: what a person wants to know.
class LagMeter {
 public:
  void add(async::Instant at, const Lag& lag);

  const Lag& last() const { return last_; }
  // Mutations that arrive per second, and that clients write; of the last readings. -1: not known.
  int64_t shipped_per_second() const;
  int64_t written_per_second() const;
  // Until the lag is gone; nullopt: not known, or it does not shrink.
  std::optional<async::milliseconds> eta() const;
  // "1,234 mutations behind, 5,400/s arrive, 300/s are written, done in 0.2 s"; says which
  // partitions are not known.
  std::string to_line() const;

 private:
  struct Reading {
    async::Instant at{};
    int64_t behind = 0;
    int64_t written = 0;
  };
  int64_t per_second(int64_t mutations) const;

  Lag last_{};
  std::vector<Reading> readings_;  // complete ones, the oldest first; at most kMostReadings
};

}  // namespace pegmove::migration::hot
