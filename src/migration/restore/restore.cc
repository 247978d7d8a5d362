#include "migration/restore/restore.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/reader.h"
#include "base/json_fields.h"
#include "migration/cold_backup/back_up.h"
#include "migration/journal_fields.h"
#include "migration/watch.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using base::number_in;
using base::text_in;
using client::RestoreState;
using Json = nlohmann::ordered_json;

constexpr milliseconds kBetweenLooks{300};
constexpr const char* kValidateHash = "replica.split.validate_partition_hash";

struct LeftOut {
  std::string_view prefix;
  std::string_view why;  // "": it needs no word
};
constexpr LeftOut kLeftOut[] = {
    {"restore.", ""},
    {"max_replica_count.update", ""},
    {"manual_compact.once.", ""},
    {"duplication.", "it tells where duplication made the table from"},
    {"replica.deny_client_request", "it would refuse clients; set it by hand if that is meant"},
    {"rocksdb.usage_scenario", "it belongs to what was under way then"},
    {"replica_access_controller.", "users and policies are those of the other cluster"}};

Result<RestoreRun> read_request(const nlohmann::json& in) {
  if (!in.is_object()) return fail(Code::kCorrupt, "they are no JSON object");
  return RestoreRun{.to_metas = TRY(read_text(in, "to_metas")),
                    .restore = {.cluster = TRY(read_text(in, "cluster")),
                                .policy = TRY(read_text(in, "policy")),
                                .backup_id = TRY(read_integer(in, "backup_id", 1, INT64_MAX)),
                                .table = TRY(read_text(in, "table")),
                                .app_id = int32_t(TRY(read_integer(in, "app_id", 1, INT32_MAX))),
                                .new_table = TRY(read_text(in, "new_table")),
                                .provider = TRY(read_text(in, "provider")),
                                .skip_bad_partition = TRY(read_flag(in, "skip_bad_partition")),
                                .path = TRY(read_text(in, "path"))},
                    .timeout = TRY(read_ms(in, "timeout_ms"))};
}

class Restoring : Watch<RestoreProgress> {
 public:
  Restoring(RunKeeper& run, client::Cluster& cluster, const RestoreRun& request,
            std::optional<blockstore::AsyncStore>& store, const async::StopSignal& stop,
            const std::function<void(const RestoreProgress&)>& on_progress)
      : Watch(run, cluster, request.timeout, stop, on_progress), request_(request), store_(store) {
    report_.table =
        request.restore.new_table.empty() ? request.restore.table : request.restore.new_table;
  }

  Task<RestoreReport> carry_out() {
    CO_TRY(co_await begin());
    CO_TRY(co_await watch());
    CO_TRY(co_await bring_envs_back());
    report_.elapsed = elapsed();
    co_return std::move(report_);
  }

 private:
  Task<> begin() {
    const auto before = Json::parse(run_.run().result, nullptr, false);
    if (before.is_object() && number_in(before, "app_id") > 0) {
      report_.app_id = int32_t(number_in(before, "app_id"));
      auto status = co_await client::restore_status(cluster_, report_.app_id, deadline());
      // Of one that failed the table is gone: it is restored anew.
      const bool is_gone = !status && (status.error().code() == Code::kRefused ||
                                       status.error().code() == Code::kNotFound);
      if (!is_gone) co_return Result<void>();
    }
    // Killed between the request and the note of it, the table is there.
    const bool may_have_begun = before.is_object();
    auto table = co_await cluster_.table_info(report_.table, deadline());
    if (!table && table.error().code() != Code::kNotFound) co_return fail(std::move(table.error()));
    if (table) {
      const auto env = table->envs.find("restore.backup_id");
      if (!may_have_begun || env == table->envs.end() ||
          env->second != std::to_string(request_.restore.backup_id))
        co_return fail(Code::kAlreadyExists,
                       "cluster '" + cluster_.name() + "' has a table '" + report_.table +
                           "' already; restore into another one with --to-table, or drop it");
      report_.app_id = table->app_id;
    } else {
      CO_TRY(co_await run_.set_result("{}"));  // from here on the cluster may have begun
      report_.app_id =
          CO_TRY(co_await client::start_restore(cluster_, request_.restore, deadline()));
    }
    co_return co_await run_.set_result(Json{{"app_id", report_.app_id}}.dump());
  }

  Task<> watch() {
    while (true) {
      auto status = co_await client::restore_status(cluster_, report_.app_id, deadline());
      if (!status && status.error().code() == Code::kRefused)
        co_return fail(Code::kRefused, co_await why_dropped());
      if (!status) co_return fail(std::move(status.error()));
      if (CO_TRY(co_await tell_progress(*status))) co_return Result<void>();
      if (stop_.requested())
        co_return fail(Code::kInterrupted, "the cluster goes on with the restore by itself");
      co_await clock_.sleep_for(kBetweenLooks);  // no result
    }
  }

  // True when all partitions are there.
  Task<bool> tell_progress(const std::vector<client::RestoredPartitionStatus>& partitions) {
    RestoreProgress progress{.partitions = int32_t(partitions.size()), .elapsed = elapsed()};
    int64_t sum = 0;
    report_.skipped.clear();
    for (size_t i = 0; i < partitions.size(); ++i) {
      sum += partitions[i].permille;
      progress.partitions_done += partitions[i].permille >= 1000;
      if (partitions[i].state == RestoreState::kSkipped) report_.skipped.push_back(int32_t(i));
    }
    progress.permille = partitions.empty() ? 0 : int32_t(sum / int64_t(partitions.size()));
    auto told = CO_TRY(co_await ask_meta(cluster_, "restore.status",
                                         {std::to_string(report_.app_id)}, deadline()));
    if (told) read_told(*told, progress);
    run_.set_reason(progress.waits_for);
    run_.note({.lane = 0, .bytes = progress.done_bytes.value_or(0)});
    report_.partitions = progress.partitions;
    tell(progress, progress.partitions_done == progress.partitions);
    co_return progress.partitions > 0 && progress.partitions_done == progress.partitions;
  }

  static void read_told(const std::string& text, RestoreProgress& progress) {
    const auto in = Json::parse(text, nullptr, false);
    if (!in.is_array() || in.empty() || !in[0].is_object()) return;
    for (auto [name, to] :
         {std::pair("done_bytes", &progress.done_bytes), {"all_bytes", &progress.all_bytes}})
      if (const auto bytes = number_in(in[0], name); bytes >= 0) *to = bytes;
    progress.waits_for = text_in(in[0], "waits_for");
  }

  Routine<std::string> why_dropped() {
    std::string text = "a partition could not be restored, so the cluster dropped the table";
    auto told =
        co_await ask_meta(cluster_, "restore.status", {std::to_string(report_.app_id)}, deadline());
    const auto in = told && *told ? Json::parse(**told, nullptr, false) : Json();
    if (in.is_array() && !in.empty() && in[0].is_object())
      if (const auto reason = text_in(in[0], "reason"); !reason.empty())
        co_return text + ": " + reason;
    co_return text +
        "; `pegmove backups verify` finds what is damaged, and --skip-bad-partition "
        "restores the rest";
  }

  Task<> bring_envs_back() {
    if (!store_) {
      report_.notes.push_back("the app envs are not brought back, since [block_service." +
                              request_.restore.provider +
                              "] is not in pegmove's own configuration");
      co_return Result<void>();
    }
    const auto& restore = request_.restore;
    const backup::Place place{
        .root = CO_TRY(backup::root_of(restore.path, restore.cluster, restore.policy)),
        .backup_id = restore.backup_id,
        .table = restore.table,
        .app_id = restore.app_id};
    auto saved = CO_TRY(co_await backup::read_envs(*store_, place));
    std::map<std::string, std::string> envs;
    if (saved) {
      auto returning = returning_envs(*saved);
      envs = std::move(returning.envs);
      report_.notes = std::move(returning.notes);
    } else {
      report_.notes.push_back(
          "the backup has no app envs (real servers keep none): set those that "
          "the table needs by hand");
    }
    const auto table = CO_TRY(co_await backup::read_table(*store_, place));
    if (table.init_partition_count > 0 && table.init_partition_count != table.partition_count) {
      envs[kValidateHash] = "true";
      report_.notes.push_back(std::string(kValidateHash) +
                              " is set, since the table was split once: its files hold rows of "
                              "other partitions");
    }
    co_return co_await set_envs(std::move(envs));
  }

  // All at once; where the cluster refuses one, each by itself.
  Task<> set_envs(std::map<std::string, std::string> envs) {
    if (envs.empty()) co_return Result<void>();
    auto set = co_await cluster_.set_envs(report_.table, envs, deadline());
    if (set) {
      for (const auto& [name, value] : envs) report_.envs.push_back(name);
      co_return Result<void>();
    }
    if (set.error().code() != Code::kInvalidArgument) co_return set;
    for (const auto& [name, value] : envs) {
      auto one = co_await cluster_.set_envs(report_.table, {{name, value}}, deadline());
      if (one)
        report_.envs.push_back(name);
      else
        report_.notes.push_back(name + " is not brought back: " + one.error().message());
    }
    co_return Result<void>();
  }

  const RestoreRun& request_;
  std::optional<blockstore::AsyncStore>& store_;
  RestoreReport report_;
};

}  // namespace

ReturningEnvs returning_envs(const std::map<std::string, std::string>& saved) {
  ReturningEnvs returning;
  for (const auto& [name, value] : saved) {
    const auto left_out = std::ranges::find_if(
        kLeftOut, [&](const auto& each) { return name.starts_with(each.prefix); });
    if (left_out == std::end(kLeftOut))
      returning.envs[name] = value;
    else if (!left_out->why.empty())
      returning.notes.push_back(name + " is not brought back: " + std::string(left_out->why));
  }
  return returning;
}

std::string to_json(const RestoreRun& request) {
  const auto& restore = request.restore;
  return Json{{"to_metas", request.to_metas},
              {"cluster", restore.cluster},
              {"policy", restore.policy},
              {"backup_id", restore.backup_id},
              {"table", restore.table},
              {"app_id", restore.app_id},
              {"new_table", restore.new_table},
              {"provider", restore.provider},
              {"skip_bad_partition", restore.skip_bad_partition},
              {"path", restore.path},
              {"timeout_ms", request.timeout.count()}}
      .dump();
}

Result<RestoreRun> restore_run_from_json(std::string_view text) {
  return in_context(read_request(nlohmann::json::parse(text, nullptr, false)),
                    "the journal's options of a restore");
}

std::string to_line(const RestoreProgress& progress) {
  std::string text = "restoring: ";
  if (progress.done_bytes && progress.all_bytes)
    text += transfer_text(*progress.done_bytes, *progress.all_bytes, progress.elapsed);
  else
    text += std::to_string(progress.permille / 10) + "%";
  return text + ", partitions " + std::to_string(progress.partitions_done) + "/" +
         std::to_string(progress.partitions) +
         (progress.waits_for.empty() ? "" : "; " + progress.waits_for);
}

std::string to_json(const RestoreReport& report) {
  return Json{{"app_id", report.app_id},
              {"table", report.table},
              {"partitions", report.partitions},
              {"skipped_partitions", report.skipped},
              {"app_envs", report.envs},
              {"notes", report.notes},
              {"elapsed_ms", report.elapsed.count()}}
      .dump(2);
}

Task<RestoreReport> run_restore(RunKeeper& run, std::shared_ptr<client::Cluster> cluster,
                                RestoreRun request, std::optional<blockstore::AsyncStore> store,
                                const async::StopSignal& stop,
                                std::function<void(const RestoreProgress&)> on_progress) {
  CO_TRY(co_await run.begin());
  Restoring work(run, *cluster, request, store, stop, on_progress);
  co_return co_await work.carry_out();
}

}  // namespace pegmove::migration
