#include "migration/cold_backup/back_up.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/metadata.h"
#include "backup/reader.h"
#include "base/json_fields.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "client/backups.h"
#include "client/node.h"
#include "inspect/server_answers.h"
#include "migration/journal_fields.h"
#include "migration/watch.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using base::number_in;
using base::text_in;
using Json = nlohmann::ordered_json;

constexpr milliseconds kBetweenLooks{500};

// What the run has begun: its result while it works.
struct Begun {
  int64_t backup_id = 0;
  int32_t app_id = 0;
  std::string root;
};

std::optional<Begun> read_begun(const journal::Run& run) {
  const auto in = Json::parse(run.result, nullptr, false);
  if (!in.is_object() || number_in(in, "backup_id") <= 0) return std::nullopt;
  return Begun{.backup_id = number_in(in, "backup_id"),
               .app_id = int32_t(number_in(in, "app_id")),
               .root = text_in(in, "root")};
}

std::string to_json(const Begun& begun) {
  return Json{{"backup_id", begun.backup_id}, {"app_id", begun.app_id}, {"root", begun.root}}
      .dump();
}

Result<BackupRequest> read_request(const nlohmann::json& in) {
  if (!in.is_object()) return fail(Code::kCorrupt, "they are no JSON object");
  return BackupRequest{.from_metas = TRY(read_text(in, "from_metas")),
                       .table = TRY(read_text(in, "table")),
                       .provider = TRY(read_text(in, "provider")),
                       .path = TRY(read_text(in, "path")),
                       .timeout = TRY(read_ms(in, "timeout_ms"))};
}

class BackupRun : Watch<BackupProgress> {
 public:
  BackupRun(RunKeeper& run, client::Cluster& cluster, const BackupRequest& request,
            std::optional<blockstore::AsyncStore>& store, const async::StopSignal& stop,
            const std::function<void(const BackupProgress&)>& on_progress)
      : Watch(run, cluster, request.timeout, stop, on_progress), request_(request), store_(store) {}

  Task<BackupReport> carry_out() {
    const auto table = CO_TRY(co_await cluster_.table_info(request_.table, deadline()));
    partitions_ = table.partition_count;
    auto begun = read_begun(run_.run());
    if (!begun) {
      const bool may_have_begun = !run_.run().result.empty();  // by a process that was killed
      CO_TRY(co_await run_.set_result("{}"));  // from here on the cluster may have begun
      begun = CO_TRY(co_await begin(table.app_id, may_have_begun));
      CO_TRY(co_await run_.set_result(to_json(*begun)));
    }
    place_ = {.root = begun->root,
              .backup_id = begun->backup_id,
              .table = request_.table,
              .app_id = begun->app_id};
    CO_TRY(co_await watch());
    BackupReport report{.place = place_,
                        .provider = request_.provider,
                        .partitions = partitions_,
                        .bytes = bytes_,
                        .elapsed = elapsed()};
    CO_TRY(co_await write_envs(table.envs, report));
    co_return report;
  }

 private:
  // One that runs already is this run's when its process was killed before it noted so.
  Task<Begun> begin(int32_t app_id, bool may_have_begun) {
    const auto root =
        CO_TRY(backup::root_of(request_.path, CO_TRY(co_await backup_root(cluster_, deadline()))));
    auto running = may_have_begun ? co_await running_backup(app_id) : std::nullopt;
    if (running) co_return Begun{.backup_id = *running, .app_id = app_id, .root = root};
    auto started = CO_TRY(co_await client::start_backup(cluster_, app_id, request_.provider,
                                                        request_.path, deadline()));
    co_return Begun{.backup_id = started.backup_id, .app_id = app_id, .root = root};
  }

  Routine<std::optional<int64_t>> running_backup(int32_t app_id) {
    auto status = co_await client::backup_status(cluster_, app_id, 0, deadline());
    if (!status) co_return std::nullopt;
    for (const auto& item : status->items)
      if (!item.is_failed && item.end_time_ms == 0 && item.provider == request_.provider &&
          item.path == request_.path && item.start_time_ms >= run_.run().created_unix_ms - kSkewMs)
        co_return item.backup_id;
    co_return std::nullopt;
  }

  Task<> watch() {
    while (true) {
      auto status =
          co_await client::backup_status(cluster_, place_.app_id, place_.backup_id, deadline());
      if (!status && status.error().code() == Code::kNotFound)
        co_return fail(Code::kNotFound,
                       status.error().message() +
                           ": real meta servers forget backups when they are started anew or "
                           "another one leads; what was uploaded to " +
                           place_.backup_folder() +
                           " is no backup, remove it (`pegmove backups rm`) and begin anew");
      if (!status) co_return fail(std::move(status.error()));
      const auto item =
          std::ranges::find(status->items, place_.backup_id, &client::BackupItem::backup_id);
      if (item == status->items.end())
        co_return fail(Code::kProtocol, "the meta server does not tell of the backup");
      CO_TRY(co_await tell_progress());
      if (item->is_failed) co_return fail(Code::kRefused, co_await why_failed(status->hint));
      if (item->end_time_ms != 0) co_return Result<void>();
      if (stop_.requested()) co_return co_await give_up();
      co_await clock_.sleep_for(kBetweenLooks);  // no result
    }
  }

  Task<> tell_progress() {
    BackupProgress progress{.partitions = partitions_, .elapsed = elapsed()};
    auto told = CO_TRY(
        co_await ask_meta(cluster_, "backup.status", {std::to_string(place_.app_id)}, deadline()));
    if (told)
      read_progress(*told, progress);
    else
      progress.partitions_done = co_await count_in_store();
    run_.note({.lane = 0, .bytes = progress.done_bytes.value_or(0)});
    run_.set_reason(progress.waits_for);
    tell(progress, progress.partitions_done == progress.partitions);
    co_return Result<void>();
  }

  // Of an embedded cluster.
  void read_progress(const std::string& text, BackupProgress& progress) {
    const auto in = Json::parse(text, nullptr, false);
    if (!in.is_array()) return;
    for (const auto& job : in) {
      if (!job.is_object() || number_in(job, "backup_id") != place_.backup_id) continue;
      if (text_in(job, "state") == "running") progress.waits_for = text_in(job, "reason");
      if (number_in(job, "all_bytes") >= 0) {
        progress.done_bytes = number_in(job, "done_bytes");
        progress.all_bytes = number_in(job, "all_bytes");
        progress.partitions_done = int32_t(number_in(job, "partitions_done"));
      }
      if (text_in(job, "state") == "done") {
        bytes_ = number_in(job, "bytes");
        progress.done_bytes = progress.all_bytes = bytes_;
        progress.partitions_done = partitions_;
      }
    }
  }

  Routine<std::optional<int32_t>> count_in_store() {
    if (!store_) co_return std::nullopt;
    int32_t done = 0;
    for (int32_t partition = 0; partition < partitions_; ++partition) {
      auto current = co_await store_->find(place_.current_file(partition));
      if (!current) co_return std::nullopt;
      done += current->has_value();
    }
    co_return done;
  }

  Routine<std::string> why_failed(std::string hint) {
    std::string text = "the cluster says that the backup failed: " + hint;
    if (hint.contains("failed:") || !store_) co_return text;
    std::string missing;
    for (int32_t partition = 0; partition < partitions_; ++partition) {
      auto current = co_await store_->find(place_.current_file(partition));
      if (current && !*current)
        missing += (missing.empty() ? "" : ", ") + std::to_string(partition);
    }
    if (!missing.empty())
      text += "; not finished: partitions " + missing + "; their servers' logs say why";
    co_return text;
  }

  // The cluster goes on by itself, unless the run is cancelled.
  Task<> give_up() {
    if (!run_.is_cancelled())
      co_return fail(Code::kInterrupted, "the cluster goes on with the backup by itself");
    auto told = CO_TRY(co_await ask_meta(
        cluster_, "backup.cancel",
        {std::to_string(place_.app_id), std::to_string(place_.backup_id)}, deadline()));
    if (!told)
      co_return fail(Code::kInterrupted,
                     "cancelled here; this version of Pegasus cannot end a backup: it goes on, and "
                     "`pegmove backups rm` removes it when it has ended");
    co_return fail(Code::kInterrupted, "the backup is cancelled");
  }

  // Of the whole backup: those of other tables in the file stay.
  Task<> write_envs(const std::map<std::string, std::string>& envs, BackupReport& report) {
    if (!store_) {
      report.note = "the table's app envs are not kept, since [block_service." + request_.provider +
                    "] is not in pegmove's own configuration";
      co_return Result<void>();
    }
    backup::EnvsOfTables all;
    const auto folder = blockstore::name_of(place_.table_folder());
    all[folder] = envs;
    CO_TRY(co_await store_->write_file(place_.envs_file(), backup::encode_envs(all)));
    report.has_envs = true;
    if (report.bytes < 0) {
      int64_t bytes = 0;
      for (int32_t partition = 0; partition < partitions_; ++partition)
        bytes += CO_TRY(co_await backup::read_checkpoint(*store_, place_, partition))
                     .metadata.total_size;
      report.bytes = bytes;
    }
    co_return Result<void>();
  }

  static constexpr int64_t kSkewMs = 600'000;  // between this clock and the cluster's

  const BackupRequest& request_;
  std::optional<blockstore::AsyncStore>& store_;
  backup::Place place_;
  int32_t partitions_ = 0;
  int64_t bytes_ = -1;
};

}  // namespace

std::string to_json(const BackupRequest& request) {
  return Json{{"from_metas", request.from_metas},
              {"table", request.table},
              {"provider", request.provider},
              {"path", request.path},
              {"timeout_ms", request.timeout.count()}}
      .dump();
}

Result<BackupRequest> backup_request_from_json(std::string_view text) {
  return in_context(read_request(nlohmann::json::parse(text, nullptr, false)),
                    "the journal's options of a backup");
}

std::string transfer_text(int64_t done, int64_t all, milliseconds elapsed) {
  const auto size = [](int64_t bytes) {
    return base::format_size(uint64_t(std::max<int64_t>(bytes, 0)));
  };
  std::string text = size(done) + " of " + size(all);
  if (all > 0) text += ", " + std::to_string(done * 100 / all) + "%";
  if (elapsed.count() <= 0 || done <= 0) return text;
  const auto rate = double(done) * 1000 / double(elapsed.count());
  text += ", " + size(int64_t(rate)) + "/s";
  if (done < all)
    text +=
        ", ETA " + base::format_duration(milliseconds(int64_t(double(all - done) / rate * 1000)));
  return text;
}

std::string to_line(const BackupProgress& progress) {
  std::string text = "backing up: ";
  if (progress.done_bytes && progress.all_bytes)
    text += transfer_text(*progress.done_bytes, *progress.all_bytes, progress.elapsed) + ", ";
  if (progress.partitions_done)
    text += "partitions " + std::to_string(*progress.partitions_done) + "/" +
            std::to_string(progress.partitions);
  else
    text += "under way for " + base::format_duration(progress.elapsed);
  if (!progress.waits_for.empty()) text += "; " + progress.waits_for;
  return text;
}

std::string to_json(const BackupReport& report) {
  Json out{{"backup_id", report.place.backup_id}, {"app_id", report.place.app_id},
           {"table", report.place.table},         {"provider", report.provider},
           {"root", report.place.root},           {"folder", report.place.table_folder()},
           {"partitions", report.partitions},     {"elapsed_ms", report.elapsed.count()},
           {"app_envs_kept", report.has_envs}};
  if (report.bytes >= 0) out["bytes"] = report.bytes;
  if (!report.note.empty()) out["note"] = report.note;
  return out.dump(2);
}

Task<std::optional<std::string>> ask_meta(client::Cluster& cluster, std::string command,
                                          std::vector<std::string> arguments, Deadline deadline) {
  for (const auto& [key, value] : CO_TRY(co_await cluster.info(deadline))) {
    if (key != "primary_meta_server") continue;
    auto meta = CO_TRY(net::parse_host_port(value));
    auto text = CO_TRY(co_await client::remote_command(cluster.client(), meta, std::move(command),
                                                       std::move(arguments), deadline));
    if (text.starts_with("unknown command")) co_return std::nullopt;
    co_return text;
  }
  co_return fail(Code::kProtocol, "the cluster does not tell which meta server leads");
}

Task<std::string> backup_root(client::Cluster& cluster, Deadline deadline) {
  for (const auto& node : CO_TRY(co_await cluster.nodes(deadline))) {
    if (!node.is_alive) continue;
    const auto dump = CO_TRY(co_await client::remote_command(cluster.client(), node.address,
                                                             "config-dump", {}, deadline));
    auto root = CO_TRY(inspect::parse_config_dump(dump)).cold_backup_root;
    if (!root.empty()) co_return root;
    co_return fail(Code::kUnsupported,
                   "replica server " + node.address.to_string() +
                       " has no [replication] cold_backup_root in its configuration, and refuses "
                       "backups without it");
  }
  co_return fail(Code::kUnreachable, "no replica server of cluster '" + cluster.name() + "' lives");
}

Task<BackupReport> run_backup(RunKeeper& run, std::shared_ptr<client::Cluster> cluster,
                              BackupRequest request, std::optional<blockstore::AsyncStore> store,
                              const async::StopSignal& stop,
                              std::function<void(const BackupProgress&)> on_progress) {
  CO_TRY(co_await run.begin());
  BackupRun work(run, *cluster, request, store, stop, on_progress);
  co_return co_await work.carry_out();
}

}  // namespace pegmove::migration
