#include "store/tuning.h"

#include <algorithm>
#include <cstdint>

namespace pegmove::store {
namespace {

constexpr uint64_t kNever = 1'000'000'000;        // files: Pegasus's number for "no trigger"
constexpr uint64_t kNoBound = uint64_t{1} << 60;  // bytes of a compaction, likewise

// Pegasus's configuration, of which the scenarios are variations.
constexpr uint64_t kLevel0Trigger = 4;
constexpr uint64_t kLevel0Slowdown = 30;
constexpr uint64_t kLevel0Stop = 60;
constexpr uint64_t kMemtables = 3;
constexpr uint64_t kBaseLevelBytes = uint64_t{256} << 20;
constexpr uint64_t kSoftPendingBytes = uint64_t{64} << 30;
constexpr uint64_t kHardPendingBytes = uint64_t{256} << 30;
constexpr uint64_t kCompactionBytes = uint64_t{1600} << 20;  // 25 target files
constexpr uint64_t kBulkLoadMemtables = 6;
constexpr uint64_t kBulkLoadMemtableFactor = 4;

using Options = std::unordered_map<std::string, std::string>;

Options normal_options(const Tuning& tuning) {
  return {{"level0_file_num_compaction_trigger", std::to_string(kLevel0Trigger)},
          {"level0_slowdown_writes_trigger", std::to_string(kLevel0Slowdown)},
          {"level0_stop_writes_trigger", std::to_string(kLevel0Stop)},
          {"soft_pending_compaction_bytes_limit", std::to_string(kSoftPendingBytes)},
          {"hard_pending_compaction_bytes_limit", std::to_string(kHardPendingBytes)},
          {"disable_auto_compactions", "false"},
          {"max_compaction_bytes", std::to_string(kCompactionBytes)},
          {"write_buffer_size", std::to_string(tuning.memtable_bytes)},
          {"max_write_buffer_number", std::to_string(kMemtables)}};
}

void prefer_write(const Tuning& tuning, Options& options) {
  auto trigger =
      std::max(kLevel0Trigger, kBaseLevelBytes / std::max<uint64_t>(tuning.memtable_bytes, 1));
  options["level0_file_num_compaction_trigger"] = std::to_string(trigger);
}

void bulk_load(const Tuning& tuning, Options& options) {
  for (const char* name : {"level0_file_num_compaction_trigger", "level0_slowdown_writes_trigger",
                           "level0_stop_writes_trigger"})
    options[name] = std::to_string(kNever);
  options["soft_pending_compaction_bytes_limit"] = "0";
  options["hard_pending_compaction_bytes_limit"] = "0";
  options["disable_auto_compactions"] = "true";
  options["max_compaction_bytes"] = std::to_string(kNoBound);
  options["write_buffer_size"] = std::to_string(kBulkLoadMemtableFactor * tuning.memtable_bytes);
  options["max_write_buffer_number"] = std::to_string(kBulkLoadMemtables);
}

}  // namespace

std::optional<UsageScenario> parse_usage_scenario(std::string_view name) {
  for (auto scenario :
       {UsageScenario::kNormal, UsageScenario::kPreferWrite, UsageScenario::kBulkLoad})
    if (name == usage_scenario_name(scenario)) return scenario;
  return std::nullopt;
}

std::string_view usage_scenario_name(UsageScenario scenario) {
  switch (scenario) {
    case UsageScenario::kPreferWrite: return "prefer_write";
    case UsageScenario::kBulkLoad: return "bulk_load";
    default: return "normal";
  }
}

Options tuned_options(const Tuning& tuning) {
  auto options = normal_options(tuning);
  if (tuning.scenario == UsageScenario::kPreferWrite) prefer_write(tuning, options);
  if (tuning.scenario == UsageScenario::kBulkLoad) bulk_load(tuning, options);
  return options;
}

}  // namespace pegmove::store
