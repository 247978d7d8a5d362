// Requests of a meta server to a node for a bulk load, and the node's progress.
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
  int64_t load = 0;  // identifies the load: unix milliseconds of its start
};

// The progress of a partition. Safe from any thread.
struct LoadProgress {
  std::atomic<int64_t> done_bytes = 0;
  std::atomic<int64_t> all_bytes = 0;
  std::atomic<int64_t> writes_held_us = 0;  // during the ingestion of the files
  std::atomic<bool> cancelled = false;      // asks the node to stop
};

// The failpoints of a load in order, by name; see backup/failpoints.h.
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
