// The progress of a replica's manual compaction. Pegasus: manual_compaction_status in
// idl/metadata.thrift; replica servers report it to their meta server, and GET
// /replica/manual_compaction counts them.
#pragma once

#include <cstdint>

namespace pegmove::wire {

enum class CompactionStatus : int32_t {
  kIdle = 0,
  kQueuing = 1,  // requested, waiting for other compactions of the node
  kRunning = 2,
  kFinished = 3,  // the last one that was requested is done
};

}  // namespace pegmove::wire
