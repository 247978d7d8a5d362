#include "migration/restore/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/reader.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "migration/cold_backup/back_up.h"
#include "migration/env_plan.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using base::number_in;
using base::text_in;
using client::RestoreState;
using runs::StepContext;
using runs::UndoEnd;
using runs::Undone;
using Json = nlohmann::ordered_json;

constexpr milliseconds kBetweenRestorePolls{300};
constexpr const char* kValidateHash = "replica.split.validate_partition_hash";

Result<RestoreRun> read_restore_run(const nlohmann::json& json) {
  const auto in = TRY(base::JsonFields::of(json, "the journal's options of a restore"));
  return RestoreRun{.to_metas = TRY(in.text("to_metas")),
                    .restore = {.cluster = TRY(in.text("cluster")),
                                .policy = TRY(in.text("policy")),
                                .backup_id = TRY(in.integer("backup_id", 1, INT64_MAX)),
                                .table = TRY(in.text("table")),
                                .app_id = int32_t(TRY(in.integer("app_id", 1, INT32_MAX))),
                                .new_table = TRY(in.text("new_table")),
                                .provider = TRY(in.text("provider")),
                                .skip_bad_partition = TRY(in.boolean("skip_bad_partition")),
                                .path = TRY(in.text("path"))},
                    .timeout = TRY(in.milliseconds("timeout_ms"))};
}

std::string product_of(int32_t app_id) { return base::json_text(Json{{"app_id", app_id}}); }

}  // namespace

Restore::Restore(RestoreRun request, const Ports& ports)
    : request_(std::move(request)), ports_(ports), began_(ports.clock.now()) {
  const auto& restore = request_.restore;
  report_.table = restore.new_table.empty() ? restore.table : restore.new_table;
}

// Method two, second half: the cluster's own servers create a table from the backup.
std::vector<runs::Step> Restore::steps() {
  const auto& restore = request_.restore;
  auto steps = runs::steps_of<RestoredPartitions>(
      *this, "restore",
      fmt::format("have cluster {} restore backup {} of table {} as table {}", request_.to_metas,
                  restore.backup_id, restore.table, report_.table),
      "wait until every partition serves", kBetweenRestorePolls,
      [this](const journal::StepRecord& record) { return take(record); });
  steps.push_back({.name = "bring-back-envs",
                   .does = "set the app envs that were kept beside the backup",
                   .run = [this](StepContext) { return bring_envs_back(); }});
  return steps;
}

Task<runs::Assessment> Restore::open(runs::Purpose purpose) {
  if (!cluster_) cluster_ = CO_TRY(co_await ports_.connect(request_.to_metas));
  if (auto found = CO_TRY(ports_.find_store(request_.restore.provider)))
    store_.emplace(*std::move(found));
  if (purpose == runs::Purpose::kBegin) {
    CO_TRY(co_await complete());
    CO_TRY(co_await check_name_is_free());
  }
  co_return runs::Assessment{};
}

std::string Restore::options() const { return to_json(request_); }

runs::Report Restore::report(const journal::Run&) {
  report_.elapsed = std::chrono::duration_cast<milliseconds>(ports_.clock.now() - began_);
  const auto json = to_json(report_);
  return {.stored = json, .json = json, .text = to_text(report_)};
}

Result<void> Restore::take(const journal::StepRecord& record) {
  if (record.product.empty()) return {};
  const auto in = base::parse_json<Json>(record.product);
  if (!in.is_object() || number_in(in, "app_id") <= 0)
    return fail(Code::kCorrupt, "it does not name the table");
  report_.app_id = int32_t(number_in(in, "app_id"));
  return {};
}

Task<> Restore::complete() {
  auto& restore = request_.restore;
  if (restore.backup_id > 0 && restore.app_id > 0) co_return Result<void>();
  if (!store_)
    co_return fail(
        std::move(ports_.get_store(restore.provider).error())
            .with_context("finding the newest backup, since --backup and --app-id were not given"));
  const auto root = CO_TRY(backup::root_of(restore.path, restore.cluster, restore.policy));
  const auto place = CO_TRY(co_await backup::find_backup(*store_, root, restore.backup_id,
                                                         restore.table, restore.app_id));
  restore.backup_id = place.backup_id;
  restore.app_id = place.app_id;
  // A policy's backups are in a folder of its name.
  if (place.root != root) restore.policy = blockstore::name_of(place.root);
  co_return Result<void>();
}

Task<> Restore::check_name_is_free() {
  auto table = co_await cluster_->table_info(report_.table, deadline());
  if (!table && table.error().code() == Code::kNotFound) co_return Result<void>();
  if (!table) co_return fail(std::move(table.error()));
  co_return fail(Code::kAlreadyExists, fmt::format("cluster '{}' already has a table '{}'; restore "
                                                   "into another table with --to-table, or drop it",
                                                   cluster_->name(), report_.table));
}

Task<std::string> Restore::start(StepContext) {
  CO_TRY(co_await check_name_is_free());
  co_return product_of(
      CO_TRY(co_await client::start_restore(*cluster_, request_.restore, deadline())));
}

// After a kill between the request and its journal entry, the table exists.
Task<std::optional<std::string>> Restore::adopt(StepContext) {
  auto table = co_await cluster_->table_info(report_.table, deadline());
  if (!table && table.error().code() == Code::kNotFound) co_return std::nullopt;
  if (!table) co_return fail(std::move(table.error()));
  const auto env = table->envs.find("restore.backup_id");
  if (env == table->envs.end() || env->second != std::to_string(request_.restore.backup_id))
    co_return std::nullopt;  // not of this run: start() refuses it
  co_return product_of(table->app_id);
}

Task<RestoredPartitions> Restore::poll() {
  auto status = co_await client::restore_status(*cluster_, report_.app_id, deadline());
  if (!status && status.error().code() == Code::kRefused)
    co_return fail(Code::kRefused, co_await why_dropped());
  co_return status;
}

// Returns true when all partitions are restored.
Task<bool> Restore::look(StepContext context, const RestoredPartitions& partitions) {
  RestoreProgress progress{
      .partitions = int32_t(partitions.size()),
      .elapsed = std::chrono::duration_cast<milliseconds>(ports_.clock.now() - began_)};
  int64_t sum = 0;
  report_.skipped.clear();
  for (size_t i = 0; i < partitions.size(); ++i) {
    sum += partitions[i].permille;
    progress.partitions_done += partitions[i].permille >= 1000;
    if (partitions[i].state == RestoreState::kSkipped) report_.skipped.push_back(int32_t(i));
  }
  progress.permille = partitions.empty() ? 0 : int32_t(sum / int64_t(partitions.size()));
  auto answer = CO_TRY(
      co_await ask_meta(*cluster_, "restore.status", {std::to_string(report_.app_id)}, deadline()));
  if (answer) read_answer(*answer, progress);
  report_.partitions = progress.partitions;
  const bool is_done = progress.partitions > 0 && progress.partitions_done == progress.partitions;
  const bool in_bytes = progress.done_bytes && progress.all_bytes;
  context.session.set_reason(progress.waits_for);
  context.session.show_progress(context.events,
                                {.line = to_line(progress),
                                 .unit = in_bytes ? "bytes" : "partitions",
                                 .done = in_bytes ? *progress.done_bytes : progress.partitions_done,
                                 .total = in_bytes ? *progress.all_bytes : progress.partitions},
                                is_done);
  co_return is_done;
}

std::string Restore::left_alone() const { return "the cluster continues the restore by itself"; }

Task<Undone> Restore::cancel(StepContext context) {
  if (report_.app_id == 0) {  // it is not known whether the restore began
    auto begun = CO_TRY(co_await adopt(context));
    if (!begun) co_return Undone{.end = UndoEnd::kUndone, .says = "the restore had not started"};
    CO_TRY(take({.product = *begun}));
  }
  auto status = co_await client::restore_status(*cluster_, report_.app_id, deadline());
  if (!status &&
      (status.error().code() == Code::kRefused || status.error().code() == Code::kNotFound))
    co_return Undone{.end = UndoEnd::kUndone, .says = "the cluster has dropped the table"};
  if (!status) co_return fail(std::move(status.error()));
  co_return Undone{.end = UndoEnd::kStays,
                   .says = fmt::format("table {} (id {}) stays, and the cluster continues to "
                                       "restore it; drop it if you do not need it",
                                       report_.table, report_.app_id)};
}

void Restore::read_answer(const std::string& text, RestoreProgress& progress) {
  const auto in = base::parse_json<Json>(text);
  if (!in.is_array() || in.empty() || !in[0].is_object()) return;
  for (auto [name, to] :
       {std::pair("done_bytes", &progress.done_bytes), {"all_bytes", &progress.all_bytes}})
    if (const auto bytes = number_in(in[0], name); bytes >= 0) *to = bytes;
  progress.waits_for = text_in(in[0], "waits_for");
}

Routine<std::string> Restore::why_dropped() {
  std::string text = "a partition could not be restored, so the cluster dropped the table";
  auto answer =
      co_await ask_meta(*cluster_, "restore.status", {std::to_string(report_.app_id)}, deadline());
  const auto in = answer && *answer ? base::parse_json<Json>(**answer) : Json();
  if (in.is_array() && !in.empty() && in[0].is_object())
    if (const auto reason = text_in(in[0], "reason"); !reason.empty())
      co_return fmt::format("{}: {}", text, reason);
  co_return text +
      "; `pegmove backups verify` finds the damaged files, and --skip-bad-partition restores the "
      "other partitions";
}

Task<std::string> Restore::bring_envs_back() {
  if (!store_) {
    report_.notes.push_back(fmt::format(
        "the app envs are not set, since [block_service.{}] is not in pegmove's own configuration",
        request_.restore.provider));
    co_return std::string();
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
        "the backup has no app envs (real servers do not keep them): set those that the table "
        "needs by hand");
  }
  const auto table = CO_TRY(co_await backup::read_table(*store_, place));
  if (table.init_partition_count > 0 && table.init_partition_count != table.partition_count) {
    envs[kValidateHash] = "true";
    report_.notes.push_back(std::string(kValidateHash) +
                            " is set, since the table had a partition split: its files contain "
                            "rows of other partitions");
  }
  CO_TRY(co_await set_envs(std::move(envs)));
  co_return std::string();
}

// All in one request; when the cluster refuses one of them, each in its own.
Task<> Restore::set_envs(std::map<std::string, std::string> envs) {
  if (envs.empty()) co_return Result<void>();
  auto set = co_await cluster_->set_envs(report_.table, envs, deadline());
  if (set) {
    for (const auto& [name, value] : envs) report_.envs.push_back(name);
    co_return Result<void>();
  }
  if (set.error().code() != Code::kInvalidArgument) co_return set;
  for (const auto& [name, value] : envs) {
    auto one = co_await cluster_->set_envs(report_.table, {{name, value}}, deadline());
    if (one)
      report_.envs.push_back(name);
    else
      report_.notes.push_back(fmt::format("{} is not set: {}", name, one.error().message()));
  }
  co_return Result<void>();
}

std::string to_json(const RestoreRun& request) {
  const auto& restore = request.restore;
  return base::json_text(Json{{"to_metas", request.to_metas},
                              {"cluster", restore.cluster},
                              {"policy", restore.policy},
                              {"backup_id", restore.backup_id},
                              {"table", restore.table},
                              {"app_id", restore.app_id},
                              {"new_table", restore.new_table},
                              {"provider", restore.provider},
                              {"skip_bad_partition", restore.skip_bad_partition},
                              {"path", restore.path},
                              {"timeout_ms", request.timeout.count()}});
}

Result<RestoreRun> restore_run_from_json(std::string_view text) {
  return read_restore_run(base::parse_json<nlohmann::json>(text));
}

std::string to_line(const RestoreProgress& progress) {
  std::string text = "restoring: ";
  if (progress.done_bytes && progress.all_bytes)
    text += transfer_text(*progress.done_bytes, *progress.all_bytes, progress.elapsed);
  else
    text += std::to_string(progress.permille / 10) + "%";
  return fmt::format("{}, partitions {}/{}, {}{}", text, progress.partitions_done,
                     progress.partitions, base::format_duration(progress.elapsed),
                     progress.waits_for.empty() ? "" : "; " + progress.waits_for);
}

std::string to_json(const RestoreReport& report) {
  return base::json_text(Json{{"app_id", report.app_id},
                              {"table", report.table},
                              {"partitions", report.partitions},
                              {"skipped_partitions", report.skipped},
                              {"app_envs", report.envs},
                              {"notes", report.notes},
                              {"elapsed_ms", report.elapsed.count()}},
                         2);
}

std::string to_text(const RestoreReport& report) {
  std::string text =
      fmt::format("Restored table {} (id {}, {} partitions) in {}.\n", report.table, report.app_id,
                  report.partitions, base::format_duration(report.elapsed));
  if (!report.skipped.empty()) {
    text += "Created empty, since their backup is damaged: partitions";
    for (const auto partition : report.skipped) text += " " + std::to_string(partition);
    text += ".\n";
  }
  if (!report.envs.empty()) {
    text += "App envs set:";
    for (const auto& name : report.envs) text += " " + name;
    text += ".\n";
  }
  for (const auto& note : report.notes) text += "Note: " + note + ".\n";
  return text;
}

}  // namespace pegmove::migration
