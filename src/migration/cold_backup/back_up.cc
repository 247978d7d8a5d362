#include "migration/cold_backup/back_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/metadata.h"
#include "backup/reader.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"
#include "blockstore/path.h"
#include "client/node.h"
#include "inspect/server_answers.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using base::number_in;
using base::text_in;
using runs::StepContext;
using runs::UndoEnd;
using runs::Undone;
using Json = nlohmann::ordered_json;

constexpr milliseconds kBetweenBackupPolls{500};
constexpr int64_t kSkewMs = 600'000;  // between this clock and the cluster's

Result<BackupRequest> read_backup_request(const nlohmann::json& json) {
  const auto in = TRY(base::JsonFields::of(json, "the journal's options of a backup"));
  return BackupRequest{.from_metas = TRY(in.text("from_metas")),
                       .table = TRY(in.text("table")),
                       .provider = TRY(in.text("provider")),
                       .path = TRY(in.text("path")),
                       .timeout = TRY(in.milliseconds("timeout_ms"))};
}

}  // namespace

BackUp::BackUp(BackupRequest request, const Ports& ports)
    : request_(std::move(request)), ports_(ports), began_(ports.clock.now()) {}

// Method two, first half: the cluster's own servers write the table to a block store.
std::vector<runs::Step> BackUp::steps() {
  auto steps = runs::steps_of<client::BackupItem>(
      *this, "backup",
      "have cluster " + request_.from_metas + " back up table " + request_.table + " to " +
          request_.provider + ":/" + request_.path,
      "wait until every partition is in the store", kBetweenBackupPolls,
      [this](const journal::StepRecord& record) { return take(record); });
  steps[0].find_before = [this](StepContext) { return find_others(); };
  steps.push_back({.name = "keep-envs",
                   .does = "write the table's app envs beside the backup",
                   .run = [this](StepContext) { return keep_envs(); }});
  return steps;
}

Task<runs::Assessment> BackUp::open(runs::Purpose) {
  if (!cluster_) cluster_ = CO_TRY(co_await ports_.connect(request_.from_metas));
  table_ = CO_TRY(co_await cluster_->table_info(request_.table, deadline()));
  if (auto found = CO_TRY(ports_.find_store(request_.provider))) store_.emplace(*std::move(found));
  co_return runs::Assessment{};
}

std::string BackUp::options() const { return to_json(request_); }

runs::Report BackUp::report(const journal::Run&) {
  report_.provider = request_.provider;
  report_.place = place_;
  report_.partitions = table_.partition_count;
  report_.elapsed = elapsed();
  const auto json = to_json(report_);
  return {.stored = json, .json = json, .text = to_text(report_)};
}

// Those that the meta server knows before this run starts its own.
Task<std::string> BackUp::find_others() {
  auto status = co_await client::backup_status(*cluster_, table_.app_id, 0, deadline());
  if (!status && status.error().code() != Code::kNotFound)
    co_return fail(std::move(status.error()));
  Json others = Json::array();
  if (status)
    for (const auto& item : status->items) others.push_back(item.backup_id);
  co_return base::json_text(Json{{"others", std::move(others)}});
}

Result<void> BackUp::take(const journal::StepRecord& record) {
  const auto before = base::parse_json<Json>(record.before);
  if (before.is_object() && before.contains("others") && before["others"].is_array()) {
    others_.emplace();
    for (const auto& id : before["others"])
      if (id.is_number_integer()) others_->insert(id.get<int64_t>());
  }
  if (record.product.empty()) return {};
  const auto in = base::parse_json<Json>(record.product);
  if (!in.is_object() || number_in(in, "backup_id") <= 0 || number_in(in, "app_id") <= 0)
    return fail(Code::kCorrupt, "it does not contain the backup's id");
  place_ = {.root = text_in(in, "root"),
            .backup_id = number_in(in, "backup_id"),
            .table = request_.table,
            .app_id = int32_t(number_in(in, "app_id"))};
  return {};
}

namespace {

std::string product_of(int64_t backup_id, int32_t app_id, const std::string& root) {
  return base::json_text(Json{{"backup_id", backup_id}, {"app_id", app_id}, {"root", root}});
}

}  // namespace

Task<std::string> BackUp::start(StepContext) {
  CO_TRY(backup::check_table_folder(table_.name, table_.app_id));
  const auto root =
      CO_TRY(backup::root_of(request_.path, CO_TRY(co_await backup_root(*cluster_, deadline()))));
  const auto started = CO_TRY(co_await client::start_backup(
      *cluster_, table_.app_id, request_.provider, request_.path, deadline()));
  co_return product_of(started.backup_id, table_.app_id, root);
}

// Finds a backup that this run started when its process was killed before it was journaled: one
// that did not exist before. Runs of older journals do not know which existed: any running one is
// taken.
Task<std::optional<std::string>> BackUp::adopt(StepContext context) {
  auto status = co_await client::backup_status(*cluster_, table_.app_id, 0, deadline());
  if (!status && status.error().code() == Code::kNotFound) co_return std::nullopt;
  if (!status) co_return fail(std::move(status.error()));
  const auto since = context.session.run().created_unix_ms - kSkewMs;
  for (const auto& item : status->items)
    if (!item.is_failed && item.provider == request_.provider && item.path == request_.path &&
        (others_ ? !others_->contains(item.backup_id)
                 : item.end_time_ms == 0 && item.start_time_ms >= since))
      co_return product_of(item.backup_id, table_.app_id,
                           CO_TRY(backup::root_of(request_.path, CO_TRY(co_await backup_root(
                                                                     *cluster_, deadline())))));
  co_return std::nullopt;
}

Task<client::BackupItem> BackUp::poll() {
  auto status =
      co_await client::backup_status(*cluster_, place_.app_id, place_.backup_id, deadline());
  if (!status && status.error().code() == Code::kNotFound)
    co_return fail(
        Code::kNotFound,
        fmt::format("{}: real meta servers lose their backups when they restart or another one "
                    "becomes the leader; what was uploaded to {} is not a complete backup: remove "
                    "it with `pegmove backups rm` and start another backup",
                    status.error().message(), place_.backup_folder()));
  if (!status) co_return fail(std::move(status.error()));
  const auto item =
      std::ranges::find(status->items, place_.backup_id, &client::BackupItem::backup_id);
  if (item == status->items.end())
    co_return fail(Code::kProtocol, "the meta server's answer does not contain the backup");
  hint_ = status->hint;
  co_return *item;
}

Task<bool> BackUp::look(StepContext context, const client::BackupItem& item) {
  CO_TRY(co_await show_progress(context));
  if (item.is_failed) co_return fail(Code::kRefused, co_await why_failed(hint_));
  co_return item.end_time_ms != 0;
}

std::string BackUp::left_alone() const { return "the cluster continues the backup by itself"; }

Task<> BackUp::show_progress(StepContext context) {
  BackupProgress progress{.partitions = table_.partition_count, .elapsed = elapsed()};
  auto answer = CO_TRY(
      co_await ask_meta(*cluster_, "backup.status", {std::to_string(place_.app_id)}, deadline()));
  if (answer)
    read_progress(*answer, progress);
  else
    progress.partitions_done = co_await count_in_store();
  context.session.set_reason(progress.waits_for);
  show(context, progress);
  co_return Result<void>();
}

void BackUp::show(StepContext context, const BackupProgress& progress) {
  const bool in_bytes = progress.done_bytes && progress.all_bytes;
  context.session.show_progress(
      context.events,
      {.line = to_line(progress),
       .unit = in_bytes ? "bytes" : "partitions",
       .done = in_bytes ? *progress.done_bytes : progress.partitions_done.value_or(-1),
       .total = in_bytes ? *progress.all_bytes : progress.partitions},
      progress.partitions_done == progress.partitions);
}

// The answer of an embedded cluster.
void BackUp::read_progress(const std::string& text, BackupProgress& progress) {
  const auto in = base::parse_json<Json>(text);
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
      report_.bytes = number_in(job, "bytes");
      progress.done_bytes = progress.all_bytes = report_.bytes;
      progress.partitions_done = table_.partition_count;
    }
  }
}

Routine<std::optional<int32_t>> BackUp::count_in_store() {
  if (!store_) co_return std::nullopt;
  int32_t done = 0;
  for (int32_t partition = 0; partition < table_.partition_count; ++partition) {
    auto current = co_await store_->find(place_.current_file(partition));
    if (!current) co_return std::nullopt;
    done += current->has_value();
  }
  co_return done;
}

Routine<std::string> BackUp::why_failed(std::string hint) {
  std::string text = "the cluster reports that the backup failed: " + hint;
  if (hint.contains("failed:") || !store_) co_return text;
  std::string missing;
  for (int32_t partition = 0; partition < table_.partition_count; ++partition) {
    auto current = co_await store_->find(place_.current_file(partition));
    if (current && !*current) missing += (missing.empty() ? "" : ", ") + std::to_string(partition);
  }
  if (!missing.empty())
    text += fmt::format("; not finished: partitions {}; see the logs of their servers", missing);
  co_return text;
}

Task<Undone> BackUp::cancel(StepContext context) {
  if (place_.backup_id == 0) {  // it is not known whether the backup began
    auto begun = CO_TRY(co_await adopt(context));
    if (!begun) co_return Undone{.end = UndoEnd::kUndone, .says = "the backup had not started"};
    CO_TRY(take({.product = *begun}));
  }
  const auto name = fmt::format("backup {} of table {} in {}:/{}", place_.backup_id, place_.table,
                                request_.provider, place_.backup_folder());
  auto item = co_await poll();
  if (!item && item.error().code() == Code::kNotFound)
    co_return Undone{.end = UndoEnd::kCannot,
                     .says = name +
                             ": the meta server no longer knows it; remove what was "
                             "uploaded with `pegmove backups rm`"};
  if (!item) co_return fail(std::move(item.error()));
  if (item->is_failed)
    co_return Undone{.end = UndoEnd::kUndone, .says = name + " had already failed"};
  if (item->end_time_ms != 0)
    co_return Undone{.end = UndoEnd::kStays,
                     .says = name + " is complete and stays; remove it with `pegmove backups rm`"};
  auto answer = CO_TRY(co_await ask_meta(
      *cluster_, "backup.cancel", {std::to_string(place_.app_id), std::to_string(place_.backup_id)},
      deadline()));
  if (!answer)
    co_return Undone{.end = UndoEnd::kCannot,
                     .says = name +
                             " continues on the cluster: this version of Pegasus cannot end a "
                             "backup; when it has ended, remove it with `pegmove backups rm`"};
  co_return Undone{.end = UndoEnd::kUndone,
                   .says = name + " was ended on the cluster, which removes what was uploaded"};
}

Task<std::string> BackUp::keep_envs() {
  if (!store_) {
    report_.note = fmt::format(
        "the table's app envs are not kept, since [block_service.{}] is not in pegmove's own "
        "configuration",
        request_.provider);
    co_return std::string();
  }
  // The file is that of the backup, not of the table.
  backup::EnvsOfTables all;
  all[blockstore::name_of(place_.table_folder())] = table_.envs;
  CO_TRY(co_await store_->write_file(place_.envs_file(), backup::encode_envs(all)));
  report_.has_envs = true;
  if (report_.bytes >= 0) co_return std::string();
  int64_t bytes = 0;
  for (int32_t partition = 0; partition < table_.partition_count; ++partition)
    bytes +=
        CO_TRY(co_await backup::read_checkpoint(*store_, place_, partition)).metadata.total_size;
  report_.bytes = bytes;
  co_return std::string();
}

std::string to_json(const BackupRequest& request) {
  return base::json_text(Json{{"from_metas", request.from_metas},
                              {"table", request.table},
                              {"provider", request.provider},
                              {"path", request.path},
                              {"timeout_ms", request.timeout.count()}});
}

Result<BackupRequest> backup_request_from_json(std::string_view text) {
  return read_backup_request(base::parse_json<nlohmann::json>(text));
}

std::string transfer_text(int64_t done, int64_t all, milliseconds elapsed) {
  const auto size = [](int64_t bytes) {
    return base::format_size(uint64_t(std::max<int64_t>(bytes, 0)));
  };
  std::string text = fmt::format("{} of {}", size(done), size(all));
  if (all > 0) text += fmt::format(", {}%", done * 100 / all);
  if (elapsed.count() <= 0 || done <= 0) return text;
  const auto rate = double(done) * 1000 / double(elapsed.count());
  text += fmt::format(", {}/s", size(int64_t(rate)));
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
    text += fmt::format("partitions {}/{}", *progress.partitions_done, progress.partitions);
  else
    text += "in progress for " + base::format_duration(progress.elapsed);
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
  return base::json_text(out, 2);
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
  co_return fail(Code::kProtocol, "the cluster does not report its leading meta server");
}

Task<std::string> backup_root(client::Cluster& cluster, Deadline deadline) {
  for (const auto& node : CO_TRY(co_await cluster.nodes(deadline))) {
    if (!node.is_alive) continue;
    const auto dump = CO_TRY(co_await client::remote_command(cluster.client(), node.address,
                                                             "config-dump", {}, deadline));
    auto root = CO_TRY(inspect::parse_config_dump(dump)).cold_backup_root;
    if (!root.empty()) co_return root;
    co_return fail(Code::kUnsupported,
                   fmt::format("replica server {} has no [replication] cold_backup_root in its "
                               "configuration, and refuses backups without it",
                               node.address.to_string()));
  }
  co_return fail(Code::kUnreachable,
                 fmt::format("cluster '{}' has no live replica server", cluster.name()));
}

std::string to_text(const BackupReport& report) {
  const auto& place = report.place;
  std::string text =
      fmt::format("Backed up table {} ({} partitions", place.table, report.partitions);
  if (report.bytes >= 0) text += ", " + base::format_size(uint64_t(report.bytes));
  text += fmt::format(") in {}: backup {} in {}:/{}\n", base::format_duration(report.elapsed),
                      place.backup_id, report.provider, place.backup_folder());
  if (!report.note.empty()) text += "Note: " + report.note + ".\n";
  return text;
}

}  // namespace pegmove::migration
