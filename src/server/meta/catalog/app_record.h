// The meta server's record of a table.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "meta_types.h"

namespace pegmove::server::meta {

struct PartitionRecord {
  int64_t ballot = 1;  // at least 1: clients read 0 and below as "not ready"
  int32_t node = 0;    // the index of the node that serves it and keeps its data

  bool operator==(const PartitionRecord&) const = default;
};

// `info` is what LIST_APPS answers. Its status is AS_AVAILABLE or AS_DROPPED: creating and dropping
// a table are one step here. A dropped table has drop_second and expire_second (unix seconds).
struct AppRecord {
  wire::app_info info;
  std::vector<PartitionRecord> partitions;  // info.partition_count of them

  bool is_available() const { return info.status == wire::app_status::AS_AVAILABLE; }
  bool operator==(const AppRecord&) const = default;
};

// All tables by id, dropped ones too, the next id, and the meta server's function level
// (RPC_CM_CONTROL_META).
struct CatalogState {
  int32_t next_app_id = 1;
  wire::meta_function_level level = wire::meta_function_level::fl_lively;
  std::map<int32_t, AppRecord> apps;

  bool operator==(const CatalogState&) const = default;
};

// A table has at most this many partitions. Pegasus has no such limit; here every partition is a
// RocksDB instance in one process, and a request with a huge count must not exhaust its memory.
inline constexpr int32_t kMaxPartitionCount = 1024;

}  // namespace pegmove::server::meta
