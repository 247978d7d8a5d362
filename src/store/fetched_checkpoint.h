// A checkpoint that came from another server, before it becomes a partition's database.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace pegmove::store {

// Whether the folder has a whole partition of Pegasus: reads all blocks of all table files and
// compares their checksums. Changes nothing. Returns its decree. Blocks, as long as the disk takes
// to read everything. `is_stopped` is asked before each read, of about a mebibyte, perhaps from
// several threads: true ends it. Errors: kInterrupted: it was stopped; kCorrupt; kUnsupported: a
// data version other than 0 and 1; kIo.
Result<int64_t> check_fetched_checkpoint(
    const std::string& path, std::function<bool()> is_stopped = [] { return false; });

// Removes the log for duplication, which is that of the partition from which the checkpoint was
// taken: its decrees and its duplications are not those of the new partition. Does nothing when
// there is none. On disk when it returns. May be repeated, also after a kill. Errors: kCorrupt,
// kIo.
Result<void> drop_log_of_master(const std::string& path);

}  // namespace pegmove::store
