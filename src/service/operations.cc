#include "service/operations.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/json_text.h"
#include "service/local_time.h"
#include "service/table_json.h"

namespace pegmove::service {
namespace {

constexpr std::string_view kCommit = "pegmove-" PEGMOVE_VERSION;

std::string host_name() {
  std::array<char, 1024> name = {};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

// Letters, digits, '.', '_' and '-', not beginning with a dot.
bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && name.front() != '.' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

struct LevelName {
  std::string_view name;
  base::LogLevel level;
};

// FATAL: not used by this server.
constexpr LevelName kLevels[] = {{"DEBUG", base::LogLevel::kDebug},
                                 {"INFO", base::LogLevel::kInfo},
                                 {"WARNING", base::LogLevel::kWarning},
                                 {"ERROR", base::LogLevel::kError},
                                 {"FATAL", base::LogLevel::kOff}};

constexpr metrics::MetricInfo kVirtualMemory{"virtual_mem_usage_mb", metrics::Kind::kGauge,
                                             "MegaBytes", "Virtual memory of the process"};
constexpr metrics::MetricInfo kResidentMemory{"resident_mem_usage_mb", metrics::Kind::kGauge,
                                              "MegaBytes", "Resident memory of the process"};

}  // namespace

Operations::Operations(OperationsOptions options, Runner run, async::TaskGroup& tasks, Clock& clock)
    : http(run),
      commands(run, tasks, clock),
      options_(std::move(options)),
      clock_(clock),
      started_unix_(clock.unix_seconds()),
      first_log_level_(base::log_level()),
      source_{.cluster = options_.cluster, .role = options_.role, .host = host_name()},
      server_(metrics.add("server", "server", {})) {
  settings.define({.section = "replication",
                   .name = "cluster_name",
                   .type = SettingType::kString,
                   .value = options_.cluster,
                   .description = "Name of the cluster"});
  settings.define({.section = "http",
                   .name = "enable_http_server",
                   .type = SettingType::kBool,
                   .value = "true",
                   .description = "Whether HTTP is served"});
  metrics.add_old_names(old_metric_names());
  set_memory();
  add_http();
  add_commands();
  add_perf_counter_commands();
}

void Operations::set_memory() {
  // Pages: total and resident.
  std::ifstream statm("/proc/self/statm");
  int64_t all = 0, resident = 0;
  statm >> all >> resident;
  auto page = int64_t(sysconf(_SC_PAGESIZE));
  server_->gauge(kVirtualMemory).set(all * page >> 20);
  server_->gauge(kResidentMemory).set(resident * page >> 20);
}

Result<void> Operations::dump(const std::string& file, const std::string& text) const {
  if (options_.dump_dir.empty() || !is_plain_file_name(file))
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is not a plain file name; dumps go to the server's folder {}",
                            file, options_.dump_dir));
  TRY(base::make_folders(options_.dump_dir));
  auto out =
      TRY(base::AtomicFile::create(options_.dump_dir + "/" + file, {.follows_links = false}));
  TRY(out.append(text));
  return out.commit();
}

void Operations::add_commands() {
  commands.on({"server-info"}, "Query server information", "", [this](auto) {
    return base::json_text(nlohmann::json{{"version", kServerVersion},
                                          {"build_type", "Release"},
                                          {"git_SHA", kCommit},
                                          {"start_time", local_date_time(started_unix_)}});
  });
  commands.on({"flush-log"}, "Flush log to stderr or file", "", [](auto) { return "Flush done."; });
  commands.on({"reset-log-start-level"}, "Reset the log start level",
              "[DEBUG | INFO | WARNING | ERROR | FATAL]",
              [this](auto arguments) { return reset_log_level(arguments); });
  commands.on({"config-dump"}, "Dump all configurations to a server local path or to stdout",
              "[target_file]", [this](auto arguments) { return dump_settings(arguments); });
}

std::string Operations::reset_log_level(RemoteCommands::Arguments arguments) const {
  auto found = arguments.empty() ? std::ranges::find(kLevels, first_log_level_, &LevelName::level)
                                 : std::ranges::find(kLevels, arguments[0], &LevelName::name);
  if (found == std::end(kLevels)) return fmt::format("ERROR: invalid level '{}'", arguments[0]);
  base::set_log_level(found->level);
  return "OK, current level is LOG_LEVEL_" + std::string(found->name);
}

std::string Operations::dump_settings(RemoteCommands::Arguments arguments) const {
  if (arguments.empty()) return settings.to_ini();
  if (auto dumped = dump(arguments[0], settings.to_ini()); !dumped)
    return fmt::format("ERROR: {}\n", dumped.error().message());
  return fmt::format("config dump to file {}\n", arguments[0]);
}

void Operations::add_perf_counter_commands() {
  auto add = [this](const std::string& name, const std::string& by, const std::string& usage,
                    PerfMatch match) {
    commands.on({name}, "Query perf counters, filtered by OR of " + by, usage,
                [this, match](auto filters) {
                  set_memory();
                  refresh();
                  return list_perf_counters(perf_counters(metrics, table_name), match, filters,
                                            clock_.unix_seconds());
                });
  };
  add("perf-counters", "POSIX basic regular expressions", "[regexp]...", PerfMatch::kRegexp);
  add("perf-counters-by-substr", "substrs", "[substr]...", PerfMatch::kSubstring);
  add("perf-counters-by-prefix", "prefix strings", "[prefix]...", PerfMatch::kPrefix);
  add("perf-counters-by-postfix", "postfix strings", "[postfix]...", PerfMatch::kPostfix);
  commands.on({"server-stat"}, "Query selected perf counters", "", [this](auto) {
    set_memory();
    refresh();
    return brief_statistics(perf_counters(metrics, table_name));
  });
}

}  // namespace pegmove::service
