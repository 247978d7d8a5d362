// How far the manual compaction of a replica is. Pegasus: manual_compaction_status in
// idl/metadata.thrift; replica servers tell their meta server, and GET /replica/manual_compaction
// counts them.
#pragma once

#include <cstdint>

namespace pegmove::wire {

enum class CompactionStatus : int32_t {
  kIdle = 0,
  kQueuing = 1,  // asked for, waiting for other compactions of the node
  kRunning = 2,
  kFinished = 3,  // the last one that was asked for is done
};

}  // namespace pegmove::wire
