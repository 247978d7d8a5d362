// How rows are written to the target: as a client does, or through DUPLICATE.
#pragma once

#include <optional>

#include "client/duplicate_write.h"
#include "inspect/inspection.h"
#include "migration/copy/copy_options.h"

namespace pegmove::migration {

struct WriteMethod {
  // Empty: plain writes (PUT and MULTI_PUT).
  std::optional<client::DuplicateWrite> duplicate{};
  std::string reason{};  // a clause that follows "since"
  // Why the requested method is not possible. The method is plain then.
  std::optional<std::string> impossible{};
};

// Real servers abort, all tables with them, on DUPLICATE when they are in no [duplication-group]:
// their configuration is read before the first such request, and when one of them does not report
// it, none is sent.
WriteMethod choose_write_method(const inspect::Inspection& inspection, const CopyOptions& options);

// The cluster id and the time with which rows are written. One function for both modes:
//   plain: verify_timetag is off, the copied row overwrites, as a PUT does.
//   live: verify_timetag is on, and the time is before the copy began, so that what clients of
//     the target write during the copy is newer and is kept. The rows' own times are not carried
//     over: a scan does not return them.
// In both the time is ten minutes before the start, by the slowest of the clocks: real servers
// abort on a time that is later than their own clock.
client::DuplicateWrite duplicate_as(int cluster_id, bool live,
                                    const inspect::Inspection& inspection);

}  // namespace pegmove::migration
