// Arguments and results of the administrative calls of cluster.h, node.h and blocking.h.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace pegmove::client {

// What a meta server may do (meta_function_level in Pegasus). At kFreezed and below no tables are
// created and no settings of tables changed; only at kLively it balances and deletes data by
// itself.
enum class MetaLevel : int32_t {
  kStopped = 100,
  kBlind = 200,
  kFreezed = 300,
  kSteady = 400,
  kLively = 500,
};
// "fl_lively"; "fl_invalid" for a number that is not a level.
std::string meta_level_name(MetaLevel level);
// Parses "lively" and the like; nullopt for other words.
std::optional<MetaLevel> meta_level_from_word(std::string_view word);

// The result of a change: the old value, and the server's hint (often empty).
template <typename Value>
struct Change {
  Value old_value{};
  std::string hint{};
};

struct CompactionOptions {
  std::optional<int64_t> trigger_time{};  // unix seconds; nullopt: now, by the meta server's clock
  int32_t target_level = -1;              // -1: the lowest possible
  bool bottommost = false;                // the lowest level is rewritten too
  int32_t max_running_count = 0;          // at the same time on a node; 0: as set before
};

struct DiskInfo {
  std::string tag;
  std::string dir;
  int64_t capacity_mb = 0;
  int64_t available_mb = 0;
  std::set<Gpid> primaries;
  std::set<Gpid> secondaries;
};

struct NodeDisks {
  int64_t total_capacity_mb = 0;
  int64_t total_available_mb = 0;
  std::vector<DiskInfo> disks;
};

}  // namespace pegmove::client
