// Pure checks of the servers' answers, for all methods: no clock, no network.
#pragma once

#include "inspect/finding.h"
#include "inspect/inspection.h"

namespace pegmove::inspect {

// Clusters that cannot be reached, calls that were not answered.
Findings check_reachability(const SideFacts& side);
// The versions of all servers, in one note.
Findings note_versions(const SideFacts& source, const SideFacts& target);
// Old versions, clocks, data versions, access control of the servers of one side. `needs_clocks`:
// rows will be written through DUPLICATE.
Findings check_servers(const SideFacts& side, bool needs_clocks);

// The name and the id of the source's cluster in its [duplication-group]. Errors: kRefused, its
// replica servers do not agree on one.
struct ClusterId {
  std::string name;
  int id = 0;
};
Result<ClusterId> cluster_id_of(const SideFacts& source);

// Why what the source's clients wrote must not be sent on through DUPLICATE with the source's own
// cluster id, and what the target's INI file needs; nullopt: it may. Real servers abort on it when
// they are in no [duplication-group].
std::optional<std::string> why_not_duplicate(const ClusterId& source, const NodeFacts& target);
std::optional<std::string> why_not_duplicate(const SideFacts& source, const SideFacts& target);

// Why verify_timetag does not keep the newer of two writes of a row of the target; nullopt: it
// does. Rows of data version 0 have no time. Pegasus: rocksdb_wrapper::write_batch_put_ctx in
// src/server/rocksdb_wrapper.cpp.
std::optional<std::string> why_times_are_not_kept(const SideFacts& target);

// A larger offset is too much: the time of a duplicated write is ten minutes in the past, and this
// leaves enough of it.
inline constexpr int64_t kMostClockOffsetUs = 60'000'000;
// True when the offset is certainly larger.
bool is_far_off(const ClockOffset& offset);

}  // namespace pegmove::inspect
