// What a meta server asks a node to do for a bulk load, and how far that is.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/ids.h"
#include "bulkload/layout.h"

namespace pegmove::bulkload {

struct LoadRequest {
  Gpid gpid;
  int32_t partition_count = 1;
  std::string provider;
  Place place;
  bool behind = false;
  int64_t load = 0;  // names the load: unix milliseconds of its start
};

// How far a partition is. Safe from any thread.
struct LoadProgress {
  std::atomic<int64_t> done_bytes = 0;
  std::atomic<int64_t> all_bytes = 0;
  std::atomic<int64_t> writes_held_us = 0;  // while the files were taken in
  std::atomic<bool> cancelled = false;      // asks the node to stop
};

// The failpoints of a load, in their order; see backup/failpoints.h.
inline constexpr std::string_view kFailpoints[] = {"load.noted",
                                                   "load.file_downloaded",
                                                   "load.files_checked",
                                                   "load.partition_downloaded",
                                                   "load.ingesting_noted",
                                                   "load.files_ingested",
                                                   "load.partition_ingested",
                                                   "load.success_noted",
                                                   "load.partition_cleaned",
                                                   "load.end_noted"};

}  // namespace pegmove::bulkload
