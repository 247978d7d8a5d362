// When a partition's manual compaction is due, by the envs of its table.
// Pegasus: src/server/pegasus_manual_compact_service.cpp.
#pragma once

#include "server/replica/table_envs.h"

namespace pegmove::server::replica {

enum class CompactionState { kIdle, kQueuing, kRunning, kFinished };

// How to compact now, if at all: "once" when its time has come and no compaction has ended since;
// else "periodic" when one of its times of the local day has passed since the last end.
// Unlike in Pegasus, a trigger time in the future is waited for.
std::optional<CompactionPlan::How> compaction_due(const CompactionPlan& plan,
                                                  int64_t last_end_unix_seconds,
                                                  int64_t now_unix_seconds);

}  // namespace pegmove::server::replica
