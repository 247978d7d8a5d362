// The options of a database that a table's envs decide, and that may change while it is open.
// Pegasus: update_usage_scenario and set_usage_scenario in src/server/pegasus_server_impl.cpp.
#pragma once

#include <rocksdb/options.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace pegmove::store {

// Table env rocksdb.usage_scenario. kBulkLoad compacts nothing by itself: files gather in level 0,
// and a load behind newer writes finds the lower levels empty.
enum class UsageScenario { kNormal, kPreferWrite, kBulkLoad };

std::optional<UsageScenario> parse_usage_scenario(std::string_view name);
std::string_view usage_scenario_name(UsageScenario scenario);

struct Tuning {
  UsageScenario scenario = UsageScenario::kNormal;
  size_t memtable_bytes = size_t{64} << 20;  // env rocksdb.write_buffer_size

  bool operator==(const Tuning&) const = default;
};

// The options by name, as rocksdb::DB::SetOptions takes them for the rows' column family.
std::unordered_map<std::string, std::string> tuned_options(const Tuning& tuning);

}  // namespace pegmove::store
