// The remote commands, settings and gauges of a replica server. Pegasus: replica_stub.cpp,
// nfs_server_impl.cpp, nfs_client_impl.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json_text.h"
#include "server/replica/replica_node.h"
#include "service/local_time.h"

namespace pegmove::server::replica {
namespace {

using service::SettingInfo;
using service::SettingType;
using Arguments = service::RemoteCommands::Arguments;

constexpr int64_t kNfsBlockBytes = 4 << 20;

bool is_rate(int64_t megabytes) { return megabytes >= 0; }

bool is_copy_rate(int64_t megabytes) {
  return megabytes == 0 ||
         (megabytes > 0 && megabytes < INT64_MAX >> 20 && megabytes << 20 > kNfsBlockBytes);
}

// Pegasus's settings that operators can query or change here; docs/compatibility.md says which of
// them have an effect.
std::vector<SettingInfo> replica_settings() {
  auto number = [](const char* section, const char* name, SettingType type, int64_t value,
                   const char* description, bool is_mutable) {
    return SettingInfo{.section = section,
                       .name = name,
                       .type = type,
                       .value = std::to_string(value),
                       .description = description,
                       .is_mutable = is_mutable};
  };
  using enum SettingType;
  const char* ours = "replication";
  return {
      number("nfs", "nfs_copy_block_bytes", kUint32, kNfsBlockBytes, "Block of a file copy", false),
      number(ours, "duplicate_log_batch_bytes", kUint32, 4096, "Size of a duplication batch", true),
      number(ours, "dup_max_allowed_write_size", kUint64, 1 << 20, "Largest duplicated write",
             true),
      number(ours, "max_concurrent_uploading_file_count", kUint64, 10, "Uploads at once", false),
      number(ours, "max_replicas_on_load_for_each_disk", kUint64, 256,
             "Replicas of a disk that are opened at once", true),
      number(ours, "load_replica_max_wait_time_ms", kUint64, 10,
             "Maximum wait for a replica to open", true),
      number(ours, "config_sync_interval_ms", kUint32, 30'000, "Period of config sync", true),
      number("pegasus.server", "rocksdb_max_iteration_count", kUint32, 1000, "Rows of a scan reply",
             false),
      number("pegasus.server", "rocksdb_multi_get_max_iteration_count", kUint32, 3000,
             "Rows that a MULTI_GET reads", false),
      number("pegasus.server", "rocksdb_multi_get_max_iteration_size", kUint64, 30 << 20,
             "Bytes of a MULTI_GET", false),
      number("pegasus.server", "rocksdb_iteration_threshold_time_ms", kUint64, 30'000,
             "Time of one iteration", false),
  };
}

// "app_id" or "app_id.partition_index"; the index is -1 in the first.
std::optional<Gpid> parse_id(std::string_view text) {
  Gpid id{0, -1};
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, id.app_id);
  if (error != std::errc()) return std::nullopt;
  if (stop == end) return id;
  if (*stop != '.') return std::nullopt;
  auto [last, wrong] = std::from_chars(stop + 1, end, id.partition_index);
  if (wrong != std::errc() || last != end || id.partition_index < 0) return std::nullopt;
  return id;
}

std::string compaction_of(const Replica& replica) {
  const auto& times = replica.compaction_times();
  auto at = [](int64_t unix_ms) {
    return unix_ms > 0 ? service::local_date_time(unix_ms / 1000) : std::string("-");
  };
  const int64_t took = times.took_ms;
  return base::json_text(nlohmann::json{{"recent_enqueue_at", at(times.queued_ms)},
                                        {"recent_start_at", at(times.started_ms)},
                                        {"last_finish", at(replica.db().last_compact_unix_ms())},
                                        {"last_used_ms", took > 0 ? std::to_string(took) : "-"}});
}

std::string envs_of(const Replica& replica) {
  std::string text;
  for (const auto& [name, value] : replica.db().engine_options())
    text += (text.empty() ? "" : ",") + name + "=" + value;
  return text;
}

void set_duplications(DuplicationMetrics& metrics, const std::vector<DuplicationState>& states) {
  int64_t pending = 0, bytes = 0, ended = 0;
  for (const auto& [assignment, progress] : states) {
    pending += progress.last_decree - progress.shipped_decree;
    bytes += progress.waiting_bytes;
    ended += !progress.error.empty();
  }
  metrics.pending_mutations.set(pending);
  metrics.pending_bytes.set(bytes);
  metrics.ended_with_error.set(ended);
}

}  // namespace

// The states of duplications are read first: what they have shipped is not later than the decree.
std::string ReplicaNode::progress_of(const Replica& replica) const {
  const auto duplications = duplications_.duplications(replica.gpid());
  const auto decree = replica.last_decree();
  nlohmann::ordered_json progress;
  for (const char* name : {"max_prepared_decree", "max_plog_decree", "max_plog_decree_on_disk",
                           "max_plog_commit_on_disk", "last_committed_decree",
                           "last_applied_decree", "last_flushed_decree", "last_durable_decree"})
    progress[name] = decree;
  progress["max_gc_decree"] = 0;
  for (const auto& [assignment, now] : duplications)
    progress["duplications"].push_back({{"dupid", assignment.id},
                                        {"remote_cluster_name", assignment.remote},
                                        {"remote_app_name", assignment.remote_table},
                                        {"replica_confirmed_decree", now.shipped_decree},
                                        {"meta_persisted_decree", assignment.confirmed_decree}});
  return base::json_text(progress, 4, base::NoUtf8::kReplace);
}

// Rate limits of cold backups. In Pegasus the first two only limit file transfers between nodes,
// though its documentation names them for backups; here they limit uploads to a block store.
void ReplicaNode::define_rates() {
  const auto define = [this](const char* section, const char* name, SettingType type,
                             const char* value, const char* description,
                             bool (*is_acceptable)(int64_t) = is_rate) {
    operations_.settings.define(
        {.section = section,
         .name = name,
         .type = type,
         .value = value,
         .description = description,
         .is_mutable = true,
         .is_acceptable = [is_acceptable](double rate) { return is_acceptable(int64_t(rate)); },
         .on_change = [this, name = std::string(name)](
                          double rate) { backups_.set_rate(name, int64_t(rate)); }});
  };
  for (const char* name : {"max_send_rate_megabytes_per_disk", "max_send_rate_megabytes"})
    define("nfs", name, SettingType::kInt64, "0", "MB/s of files sent; 0: no limit");
  define("nfs", "max_copy_rate_megabytes_per_disk", SettingType::kInt64, "0",
         "MB/s of files received; 0: no limit", is_copy_rate);
  define("replication", "hdfs_write_limit_rate_mb_per_sec", SettingType::kUint32, "200",
         "MB/s sent to an HDFS; 0: no limit");
  define("replication", "hdfs_read_limit_rate_mb_per_sec", SettingType::kUint32, "200",
         "MB/s read from an HDFS; 0: no limit");
  for (const char* name : {"hdfs_write_limit_rate_mb_per_sec", "hdfs_read_limit_rate_mb_per_sec"})
    backups_.set_rate(name, operations_.settings.integer(name));
}

void ReplicaNode::define_settings() {
  auto& settings = operations_.settings;
  for (auto& setting : replica_settings()) settings.define(std::move(setting));
  define_rates();
  if (!options_.duplication_group.empty())
    settings.add_section("duplication-group", options_.duplication_group);
  settings.define({.section = "replication",
                   .name = "cold_backup_root",
                   .type = SettingType::kString,
                   .value = options_.cold_backup_root,
                   .description = "Folder of this cluster in block stores"});
  settings.define({.section = "replication",
                   .name = "max_allowed_write_size",
                   .type = SettingType::kUint64,
                   .value = std::to_string(options_.max_request_size),
                   .description = "Larger write requests are refused; 0: no limit"});
  settings.define(
      {.section = "replication",
       .name = "max_concurrent_bulk_load_downloading_count",
       .type = SettingType::kInt32,
       .value = "5",
       .description = "Replicas that download at once in a bulk load",
       .on_change = [this](double value) { loads_.set_downloads_at_once(int64_t(value)); }});
  settings.define({.section = "replication",
                   .name = "deny_client_on_start",
                   .type = SettingType::kBool,
                   .value = "false",
                   .description = "Whether requests of clients are dropped",
                   .on_change = [this](double value) { denies_clients_ = value != 0; }});
  settings.define({.section = "replication",
                   .name = "verbose_client_log_on_start",
                   .type = SettingType::kBool,
                   .value = "false",
                   .description = "Whether error answers are logged",
                   .on_change = [this](double value) { metrics_->set_verbose(value != 0); }});
}

void ReplicaNode::register_commands() {
  define_settings();
  auto& commands = operations_.commands;
  auto& settings = operations_.settings;
  commands.on_integer("nfs.max_send_rate_megabytes_per_disk",
                      "The maximum bandwidth (MB/s) of reading data per local disk when "
                      "transferring data to remote node, 0 means no limit",
                      settings, "max_send_rate_megabytes_per_disk");
  commands.on_integer("nfs.max_send_rate_megabytes", "The name before Pegasus 2.4", settings,
                      "max_send_rate_megabytes");
  commands.on_integer("nfs.max_copy_rate_megabytes_per_disk",
                      "The maximum bandwidth (MB/s) of writing data per local disk when copying "
                      "from remote node, 0 means no limit, should be greater than "
                      "'nfs_copy_block_bytes' which is 4194304",
                      settings, "max_copy_rate_megabytes_per_disk", is_copy_rate);
  commands.on_integer("replica.max-replicas-on-load-for-each-disk",
                      "The max number of replicas that are allowed to be loaded simultaneously for "
                      "each disk dir.",
                      settings, "max_replicas_on_load_for_each_disk");
  commands.on_integer("replica.load-replica-max-wait-time-ms",
                      "The max waiting time for replica loading to complete.", settings,
                      "load_replica_max_wait_time_ms");
  commands.on_integer("replica.max-concurrent-bulk-load-downloading-count",
                      "The maximum concurrent bulk load downloading replica count.", settings,
                      "max_concurrent_bulk_load_downloading_count");
  commands.on_boolean("replica.deny-client", "control if deny client read & write request",
                      settings, "deny_client_on_start");
  commands.on_boolean("replica.verbose-client-log",
                      "control if print verbose error log when reply read & write request",
                      settings, "verbose_client_log_on_start");
  register_replica_commands();
}

void ReplicaNode::register_replica_commands() {
  auto on = [this](const char* name, const char* help, std::function<std::string(Replica&)> run) {
    operations_.commands.on({name}, help, "[id1,id2,...]", [this, run](Arguments arguments) {
      return run_on_replicas(arguments, run);
    });
  };
  on("replica.trigger-checkpoint",
     "Trigger replicas to do checkpoint by app_id or app_id.partition_id", [](Replica& replica) {
       auto flushed = replica.flush();
       return flushed ? "triggered" : "failed: " + flushed.error().message();
     });
  on("replica.query-compact",
     "Query full compact status on the underlying storage engine by app_id or "
     "app_id.partition_id",
     [](Replica& replica) { return compaction_of(replica); });
  on("replica.query-app-envs",
     "Query app envs on the underlying storage engine by app_id or app_id.partition_id",
     [](Replica& replica) { return envs_of(replica); });
  on("replica.query-progress",
     "Query the progress of decrees, including both local writes and duplications for replicas "
     "specified by comma-separated list of 'app_id' or 'app_id.partition_id', or all replicas for "
     "empty",
     [this](Replica& replica) { return progress_of(replica); });
}

std::string ReplicaNode::run_on_replicas(Arguments arguments,
                                         const std::function<std::string(Replica&)>& run) const {
  std::map<Gpid, std::string> results;
  std::set<Gpid> missing;
  auto add = [&](Gpid gpid, const Reached& reached) {
    results.emplace(gpid, (reached.secondary ? "@S : " : "@P : ") + run(*reached.replica));
  };
  auto add_all = [&](int32_t app_id) {
    for (const auto& [gpid, reached] : replicas_of(app_id)) add(gpid, reached);
  };
  if (arguments.empty()) add_all(0);
  for (std::string_view words : arguments) {
    if (words.find_first_not_of(',') == std::string_view::npos) return "invalid arguments";
    for (size_t begin = 0; begin < words.size();) {
      auto end = std::min(words.find(',', begin), words.size());
      auto word = words.substr(begin, end - begin);
      begin = end + 1;
      if (word.empty()) continue;
      auto id = parse_id(word);
      if (!id) return "invalid arguments";
      if (id->partition_index < 0)
        add_all(id->app_id == 0 ? -1 : id->app_id);
      else if (auto reached = reach(*id); !reached.replica)
        missing.insert(*id);
      else if (!results.contains(*id))
        add(*id, reached);
    }
  }
  auto text = fmt::format("{} processed, {} not found", results.size(), missing.size());
  for (auto gpid : missing) results.emplace(gpid, " : not found");
  for (const auto& [gpid, result] : results)
    text += fmt::format("\n    {}@{}{}", gpid.to_string(), address().to_string(), result);
  return text;
}

// The replicas of a table by their ids; app_id 0: all of the node.
std::map<Gpid, ReplicaNode::Reached> ReplicaNode::replicas_of(int32_t app_id) const {
  std::map<Gpid, Reached> found;
  const auto is_wanted = [app_id](Gpid gpid) { return app_id == 0 || gpid.app_id == app_id; };
  std::lock_guard lock(mutex_);
  for (const auto& [gpid, replica] : replicas_)
    if (is_wanted(gpid)) found.emplace(gpid, Reached{replica, nullptr});
  for (const auto& [gpid, followed] : followed_)
    if (auto primary = followed.primary.lock(); primary && is_wanted(gpid))
      found.emplace(gpid, Reached{std::move(primary), followed.seat});
  return found;
}

void ReplicaNode::refresh_metrics() {
  auto replicas = replicas_of(0);
  const auto secondaries = std::ranges::count_if(
      replicas, [](const auto& entry) { return entry.second.secondary != nullptr; });
  metrics_->set_replicas(replicas.size() - size_t(secondaries), size_t(secondaries));
  metrics_->set_storage(*resources_);
  for (const auto& [gpid, reached] : replicas) {
    auto& metrics = reached.secondary ? *reached.secondary->metrics : reached.replica->metrics();
    metrics.set_storage(reached.replica->db().statistics());
    if (!reached.secondary) set_duplications(metrics.duplication, duplications_.duplications(gpid));
  }
  std::error_code error;
  auto space = std::filesystem::space(options_.data_dir, error);
  if (error) return;
  using metrics::Kind;
  disk_->gauge({"disk_capacity_total_mb", Kind::kGauge, "MegaBytes", "Size of the file system"})
      .set(int64_t(space.capacity >> 20));
  disk_->gauge({"disk_capacity_avail_mb", Kind::kGauge, "MegaBytes", "Available space"})
      .set(int64_t(space.available >> 20));
}

}  // namespace pegmove::server::replica
