// The perf counters of Pegasus before 2.5, as far as they are counted here, for tools that still
// query them by name: replica*<section>*<name>. Pegasus: src/perf_counter/perf_counters.cpp and, in
// v2.4, the counters of replica_stub, replica and pegasus_server_impl.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "async/clock.h"
#include "metrics/registry.h"

namespace pegmove::service {

struct PerfCounter {
  std::string name;  // the whole name
  std::string_view type;
  double value = 0;
};

// The name of a table by its id in decimal; empty when it is unknown.
using TableName = std::function<std::string(const std::string& table_id)>;

// Names that /metrics also answers when they are requested.
std::span<const metrics::OldName> old_metric_names();

// All counters, by name. Counters that Pegasus reset periodically ("recent") count from the start
// of the process here.
std::vector<PerfCounter> perf_counters(const metrics::Registry& registry,
                                       const TableName& table_name);

enum class PerfMatch { kRegexp, kSubstring, kPrefix, kPostfix };

// The reply of perf-counters and its kind: those that match one of the filters, all if there are
// none. Regular expressions are POSIX's basic ones and match whole names; those that could take a
// long time (repetition counts, back references, more than 256 bytes) are invalid filters.
std::string list_perf_counters(const std::vector<PerfCounter>& counters, PerfMatch match,
                               std::span<const std::string> filters, int64_t unix_seconds);

// The reply of server-stat.
std::string brief_statistics(const std::vector<PerfCounter>& counters);

}  // namespace pegmove::service
