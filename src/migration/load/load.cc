#include "migration/load/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"
#include "bulk_load_types.h"
#include "inspect/table_checks.h"
#include "migration/cold_backup/back_up.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using base::number_in;
using client::LoadControl;
using client::LoadStatus;
using client::MetaLevel;
using runs::StepContext;
using runs::StepKind;
using runs::UndoEnd;
using runs::Undone;
using SortedJson = nlohmann::json;

constexpr milliseconds kBetweenLoadPolls{300};
constexpr milliseconds kCancelWithin{600'000};
constexpr const char* kScenario = "rocksdb.usage_scenario";
constexpr const char* kBehind = "rocksdb.allow_ingest_behind";

std::string env_of(const client::TableInfo& table, const char* name) {
  const auto found = table.envs.find(name);
  return found == table.envs.end() ? "" : found->second;
}

// Checks the files of the set, partition by partition.
Task<> check_set(const blockstore::AsyncStore& store, bulkload::Place place,
                 const client::TableInfo& table) {
  const auto info = CO_TRY(co_await bulkload::read_info(store, place));
  const auto wrong = [&](const char* what, int32_t in_file, int32_t real) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: {} is for a table with {} {}, and table '{}' has {}",
                            store.store().description(), place.info_file(), what, in_file,
                            table.name, real));
  };
  if (info.app_id != table.app_id) co_return wrong("id", info.app_id, table.app_id);
  if (info.partition_count != table.partition_count)
    co_return wrong("partition count", info.partition_count, table.partition_count);
  for (int32_t partition = 0; partition < table.partition_count; ++partition) {
    const auto metadata = CO_TRY(co_await bulkload::read_metadata(store, place, partition));
    for (const auto& file : metadata.files) {
      const auto path = place.file(partition, file.name);
      const auto found = CO_TRY(co_await store.find(path));
      if (!found || found->is_folder)
        co_return fail(Code::kNotFound,
                       fmt::format("{}: {} does not exist", store.store().description(), path));
      if (found->size != file.size)
        co_return fail(Code::kCorrupt,
                       fmt::format("{}: {} has {} bytes instead of {}", store.store().description(),
                                   path, found->size, file.size));
    }
  }
  co_return Result<void>();
}

Result<LoadRun> read_load_run(const SortedJson& json) {
  const auto in = TRY(base::JsonFields::of(json, "the journal's options of a load"));
  return LoadRun{.to_metas = TRY(in.text("to_metas")),
                 .load = {.table = TRY(in.text("table")),
                          .cluster = TRY(in.text("cluster")),
                          .provider = TRY(in.text("provider")),
                          .path = TRY(in.text("path")),
                          .ingest_behind = TRY(in.boolean("ingest_behind"))},
                 .timeout = TRY(in.milliseconds("timeout_ms"))};
}

}  // namespace

LoadProgress progress_of(const LoadStatus& status, milliseconds elapsed) {
  LoadProgress progress{.status = status.status,
                        .is_loading = status.is_loading,
                        .partitions = int32_t(status.partitions.size()),
                        .waits_for = status.is_loading ? status.hint : "",
                        .elapsed = elapsed};
  const auto done =
      status.status == wire::BLS_DOWNLOADING ? wire::BLS_DOWNLOADED : wire::BLS_SUCCEED;
  int64_t sum = 0;
  for (const auto& partition : status.partitions) {
    progress.partitions_done += partition.status == done;
    progress.partitions_cleaned +=
        !partition.replicas.empty() &&
        std::ranges::all_of(partition.replicas, &client::LoadReplica::is_cleaned_up);
    for (const auto& replica : partition.replicas)
      sum += replica.percent / std::max(1, status.max_replica_count);
  }
  if (progress.partitions > 0) progress.percent = int32_t(sum / progress.partitions);
  return progress;
}

Load::Load(LoadRun request, const Ports& ports)
    : request_(std::move(request)), ports_(ports), began_(ports.clock.now()) {
  report_.table = request_.load.table;
  report_.behind = request_.load.ingest_behind;
}

// Method three, last part: the cluster's own servers ingest the files of a split. The settings that
// this needs are journaled before they are changed, and restored after it, however it ends.
std::vector<runs::Step> Load::steps() {
  const auto& load = request_.load;
  std::vector<runs::Step> steps{
      {.name = "prepare-table",
       .does = "set " + std::string(kScenario) + " of table " + load.table + " to bulk_load",
       .kind = StepKind::kCompensable,
       .run = [this](StepContext) { return prepare_table(); },
       .find_before = [this](StepContext) { return find_settings(); },
       .take = [this](const journal::StepRecord& record) { return take(record); },
       .undo = [this](StepContext, const journal::StepRecord&) { return undo_prepare(); }}};
  runs::append(steps, runs::steps_of<LoadStatus>(
                          *this, "load",
                          "have cluster " + request_.to_metas + " load the files of " +
                              load.provider + ":/" + load.path + " into table " + load.table +
                              (load.ingest_behind ? ", behind newer writes" : ""),
                          "wait until every partition has the rows", kBetweenLoadPolls,
                          [this](const journal::StepRecord& record) {
                            may_have_started_ = record.state != journal::StepState::kUndone;
                            return Result<void>();
                          }));
  steps.push_back({.name = "finish-load",
                   .does = std::string("set ") + kScenario +
                           " to normal, and restore the meta servers' function level",
                   .run = [this](StepContext) { return finish(); }});
  return steps;
}

Task<runs::Assessment> Load::open(runs::Purpose purpose) {
  if (!cluster_) cluster_ = CO_TRY(co_await ports_.connect(request_.to_metas));
  if (purpose == runs::Purpose::kBegin)
    report_.notes = CO_TRY(co_await check_load(*cluster_, request_,
                                               CO_TRY(ports_.find_store(request_.load.provider))));
  co_return runs::Assessment{};
}

std::string Load::options() const { return to_json(request_); }

runs::Report Load::report(const journal::Run&) {
  report_.elapsed = elapsed();
  const auto json = to_json(report_);
  return {.stored = json, .json = json, .text = to_text(report_)};
}

Task<std::string> Load::find_settings() {
  const auto level = CO_TRY(co_await cluster_->meta_level(deadline()));
  const auto table = CO_TRY(co_await cluster_->table_info(request_.load.table, deadline()));
  auto status = co_await poll();
  if (!status && status.error().code() != Code::kRefused) co_return fail(std::move(status.error()));
  co_return base::json_text(
      SortedJson{{"level", int(level)},
                 {"scenario", env_of(table, kScenario)},
                 {"was_loaded", status && status->status == wire::BLS_SUCCEED}});
}

Result<void> Load::take(const journal::StepRecord& record) {
  const auto in = base::parse_json<SortedJson>(record.before);
  if (!in.is_object() || number_in(in, "level") < 0)
    return fail(Code::kCorrupt, "it does not contain the previous settings");
  level_before_ = MetaLevel(number_in(in, "level"));
  scenario_before_ = base::text_in(in, "scenario");
  was_loaded_before_ = !in.contains("was_loaded") || in["was_loaded"] != false;
  return {};
}

Task<std::string> Load::prepare_table() {
  CO_TRY(co_await cluster_->set_envs(request_.load.table, {{kScenario, "bulk_load"}}, deadline()));
  co_return std::string();
}

// A loaded table gets normal compactions again; one that was not loaded gets its previous setting,
// so that the next attempt finds it unchanged.
Task<> Load::put_back(bool is_loaded) {
  const auto scenario = is_loaded || scenario_before_.empty() ? "normal" : scenario_before_;
  CO_TRY(co_await cluster_->set_envs(request_.load.table, {{kScenario, scenario}}, deadline()));
  const auto level = CO_TRY(co_await cluster_->meta_level(deadline()));
  if (level != level_before_) CO_TRY(co_await cluster_->set_meta_level(level_before_, deadline()));
  co_return Result<void>();
}

Task<std::string> Load::start(StepContext) {
  CO_TRY(co_await client::start_load(*cluster_, request_.load, deadline()));
  co_return std::string();
}

// Finds a load that this run started when its process was killed before it was journaled. A load
// that succeeded counts too, unless it may be an earlier one.
Task<std::optional<std::string>> Load::adopt(StepContext) {
  auto status = co_await poll();
  if (!status && status.error().code() != Code::kRefused) co_return fail(std::move(status.error()));
  const bool has_begun = status && (status->is_loading ||
                                    (status->status == wire::BLS_SUCCEED && !was_loaded_before_));
  co_return has_begun ? std::optional<std::string>("") : std::nullopt;
}

// kRefused: the cluster has answered that the last load of the table ended without success, or that
// there was none.
Task<LoadStatus> Load::poll() {
  auto status = co_await client::load_status(*cluster_, request_.load.table, deadline());
  if (!status && status.error().wire_code())
    co_return fail(Code::kRefused, status.error().to_string());
  co_return status;
}

Task<bool> Load::look(StepContext context, const LoadStatus& status) {
  const auto progress = progress_of(status, elapsed());
  report_.partitions = progress.partitions;
  context.session.set_reason(progress.waits_for);
  context.session.show_progress(context.events,
                                {.line = to_line(progress),
                                 .unit = "partitions",
                                 .done = progress.partitions_done,
                                 .total = progress.partitions},
                                !status.is_loading);
  if (status.is_loading) co_return false;
  if (status.status == wire::BLS_SUCCEED) co_return true;
  if (status.status == wire::BLS_CANCELED)
    co_return fail(Code::kRefused, "the load was cancelled on the cluster");
  co_return fail(Code::kRefused, "the load failed: " + status.hint);
}

Task<> Load::after_failure(StepContext context) {
  CO_TRY(co_await put_back(false));
  co_return co_await context.session.save_step(
      {.name = "prepare-table", .state = journal::StepState::kUndone});
}

// Once the cluster ingests files, the load runs to its end.
bool Load::can_be_cancelled(const LoadStatus& status) const {
  return status.status != wire::BLS_DOWNLOADED && status.status != wire::BLS_INGESTING;
}

std::string Load::left_alone() const { return "the cluster continues the load by itself"; }

// Waits until the cluster has ended the load, or can no longer end it.
Task<Undone> Load::cancel(StepContext) {
  const auto& table = request_.load.table;
  auto status = co_await poll();
  const bool was_loading = status && status->is_loading;
  const auto end = Deadline::in(ports_.clock, kCancelWithin);
  while (status && status->is_loading && status->status != wire::BLS_CANCELED) {
    auto cancelled =
        co_await client::control_load(*cluster_, table, LoadControl::kCancel, deadline());
    if (!cancelled && cancelled.error().code() != Code::kRefused)
      co_return fail(std::move(cancelled.error()));
    if (end.passed(ports_.clock))
      co_return fail(Code::kTimeout,
                     "the cluster is still loading; cancel again when the load has ended, so that "
                     "the settings are restored");
    if (!cancelled) co_await ports_.clock.sleep_for(kBetweenLoadPolls);  // no result
    status = co_await poll();
  }
  if (!status && status.error().code() == Code::kRefused)
    co_return Undone{.end = UndoEnd::kUndone,
                     .says = "nothing is loading: " + status.error().message()};
  if (!status) co_return fail(std::move(status.error()));
  // Otherwise it is the status of an earlier load.
  const bool is_ours = may_have_started_ || was_loading;
  if (is_ours && status->status == wire::BLS_SUCCEED)
    co_return Undone{.end = UndoEnd::kTooLate,
                     .says = "it was too late to cancel: table " + table + " has the loaded rows"};
  co_return Undone{.end = UndoEnd::kUndone,
                   .says = "the load was ended on the cluster; table " + table + " is unchanged"};
}

Task<Undone> Load::undo_prepare() {
  CO_TRY(co_await put_back(false));
  co_return Undone{.end = UndoEnd::kUndone,
                   .says = std::string(kScenario) + " of table " + request_.load.table +
                           " and the meta servers' function level are restored"};
}

// Embedded clusters report how long writes were held.
Task<std::string> Load::finish() {
  CO_TRY(co_await put_back(true));
  auto answer = CO_TRY(co_await ask_meta(*cluster_, "bulk_load.status", {}, deadline()));
  const auto in = answer ? base::parse_json<SortedJson>(*answer) : SortedJson();
  if (in.is_array())
    for (const auto& load : in)
      if (load.is_object() && base::text_in(load, "table") == request_.load.table)
        report_.writes_held = milliseconds(number_in(load, "writes_held_us") / 1000);
  co_return std::string();
}

std::string to_json(const LoadRun& request) {
  const auto& load = request.load;
  return base::json_text(SortedJson{{"to_metas", request.to_metas},
                                    {"table", load.table},
                                    {"cluster", load.cluster},
                                    {"provider", load.provider},
                                    {"path", load.path},
                                    {"ingest_behind", load.ingest_behind},
                                    {"timeout_ms", request.timeout.count()}});
}

Result<LoadRun> load_run_from_json(std::string_view text) {
  return read_load_run(base::parse_json<SortedJson>(text));
}

namespace {

// What the cluster does in this phase. Real meta servers go from one to the next in rounds of ten
// seconds (src/meta/meta_bulk_load_service.h, BULK_LOAD_REQUEST_INTERVAL), and clean up after all
// partitions have the rows.
std::string phase_of(const LoadProgress& progress) {
  const auto count = fmt::format("{}/{} partitions", progress.partitions_done, progress.partitions);
  const auto cleaning =
      fmt::format("the servers remove the downloaded files, {}/{} partitions cleaned up",
                  progress.partitions_cleaned, progress.partitions);
  switch (progress.status) {
    case wire::BLS_DOWNLOADING: return fmt::format("{}% downloaded, {}", progress.percent, count);
    case wire::BLS_DOWNLOADED: return "all files are downloaded, the servers begin to ingest them";
    case wire::BLS_INGESTING: return "ingesting files, " + count;
    case wire::BLS_PAUSING: return "the servers are pausing the load";
    case wire::BLS_PAUSED:
      return "paused on the cluster; `restart_bulk_load` in the shell continues";
    case wire::BLS_SUCCEED:
      return count + " have the rows" + (progress.is_loading ? "; " + cleaning : "");
    case wire::BLS_FAILED: return "it failed" + (progress.is_loading ? "; " + cleaning : "");
    case wire::BLS_CANCELED:
      return "it was cancelled" + (progress.is_loading ? "; " + cleaning : "");
    default: return "status " + std::to_string(int(progress.status));
  }
}

}  // namespace

std::string to_line(const LoadProgress& progress) {
  return fmt::format("loading: {}, {}{}", phase_of(progress),
                     base::format_duration(progress.elapsed),
                     progress.waits_for.empty() ? "" : "; " + progress.waits_for);
}

std::string to_json(const LoadReport& report) {
  nlohmann::ordered_json out{{"table", report.table},
                             {"partitions", report.partitions},
                             {"ingest_behind", report.behind},
                             {"notes", report.notes},
                             {"elapsed_ms", report.elapsed.count()}};
  if (report.writes_held) out["writes_held_ms"] = report.writes_held->count();
  return base::json_text(out, 2);
}

Task<std::vector<std::string>> check_load(client::Cluster& cluster, const LoadRun& request,
                                          const std::optional<blockstore::AsyncStore>& store) {
  const auto& load = request.load;
  const auto deadline = Deadline::in(cluster.client().clock(), request.timeout);
  const auto table = CO_TRY(co_await cluster.table_info(load.table, deadline));
  const auto refuse = [&](const std::string& why) {
    return fail(Code::kRefused,
                fmt::format("table '{}' of cluster '{}' {}", load.table, cluster.name(), why));
  };
  const bool is_embedded =
      CO_TRY(co_await ask_meta(cluster, "bulk_load.status", {}, deadline)).has_value();
  if (!is_embedded && table.replica_count < 2)
    co_return refuse(
        "has one replica per partition, and real servers cannot bulk load such a table when its "
        "files arrive quickly (the load fails with ERR_CORRUPTION): run set_max_replica_count 3 "
        "first, or use `pegmove restore` or `pegmove copy`");
  if (load.ingest_behind && env_of(table, kBehind) != "true")
    co_return refuse(
        "was created without rocksdb.allow_ingest_behind=true: create another table with `create "
        "NAME -e rocksdb.allow_ingest_behind=true,rocksdb.usage_scenario=bulk_load`, or leave out "
        "--ingest-behind");
  if (load.ingest_behind && env_of(table, kScenario) != "bulk_load")
    co_return refuse(
        "does not have rocksdb.usage_scenario=bulk_load: if it was compacted since its first "
        "write, a load behind brings back rows that clients deleted; create another table with "
        "that env, write to it, and then load");
  const auto denied =
      inspect::check_denied(table.envs, {.writes = true},
                            fmt::format("table '{}' on cluster {}", load.table, cluster.name()));
  if (denied.has_errors())
    co_return fail(inspect::to_error(denied.all)
                       .with_context("servers refuse to ingest files where writes are denied, and "
                                     "the load would not end"));
  auto status = co_await client::load_status(cluster, load.table, deadline);
  if (status && status->is_loading) co_return refuse("is already being loaded");
  std::vector<std::string> notes;
  if (!store) {
    notes.push_back(
        fmt::format("the files were not checked before the load, since [block_service.{}] is not "
                    "in pegmove's own configuration",
                    load.provider));
    co_return notes;
  }
  CO_TRY(co_await check_set(*store, CO_TRY(bulkload::place_of(load.path, load.cluster, load.table)),
                            table));
  co_return notes;
}

std::string to_text(const LoadReport& report) {
  std::string text = fmt::format("Loaded table {} ({} partitions{}) in {}", report.table,
                                 report.partitions, report.behind ? ", behind newer writes" : "",
                                 base::format_duration(report.elapsed));
  if (report.writes_held)
    text += "; writes were held for " + base::format_duration(*report.writes_held) +
            " per partition at most";
  text += ".\n";
  for (const auto& note : report.notes) text += "Note: " + note + ".\n";
  return text;
}

}  // namespace pegmove::migration
