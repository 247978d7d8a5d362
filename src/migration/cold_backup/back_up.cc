#include "migration/cold_backup/back_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backup/finish.h"
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
  stored_.reset();
  whole_since_.reset();
  return {};
}

namespace {

journal::Progress progress_of(const backup::VerifyReport& report) {
  return {.line = fmt::format("verifying the backup: {} files, {} read, {} damaged", report.files,
                              base::format_size(uint64_t(report.bytes_read)), report.problem_count),
          .unit = "files",
          .done = report.files_read};
}

std::string product_of(int64_t backup_id, int32_t app_id, const std::string& root) {
  return base::json_text(Json{{"backup_id", backup_id}, {"app_id", app_id}, {"root", root}});
}

}  // namespace

Task<std::string> BackUp::start(StepContext) {
  CO_TRY(backup::check_table_folder(table_.name, table_.app_id));
  const auto root =
      CO_TRY(backup::root_of(request_.path, CO_TRY(co_await backup_root(*cluster_, deadline()))));
  auto started = co_await client::start_backup(*cluster_, table_.app_id, request_.provider,
                                               request_.path, deadline());
  if (!started && started.error().message().contains("actively being backed up"))
    co_return fail(
        started.error().code(),
        fmt::format("{}; if all files of that backup are in the store and it does not end "
                    "(`pegmove backups ls`), `pegmove backups verify --finish` completes it, and "
                    "the meta server refuses further backups of the table until it is restarted",
                    started.error().message()));
  co_return product_of(CO_TRY(std::move(started)).backup_id, table_.app_id, root);
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

Task<client::BackupItem> BackUp::ask_status() {
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

// A meta server that has forgotten the backup cannot end it: the store shows whether it is whole.
Task<client::BackupItem> BackUp::poll() {
  auto item = co_await ask_status();
  is_forgotten_ = !item && item.error().code() == Code::kNotFound;
  if (!is_forgotten_) co_return item;
  co_await look_into_store();  // no result
  if (!is_whole_in_store()) co_return item;
  co_return client::BackupItem{.backup_id = place_.backup_id,
                               .table = place_.table,
                               .provider = request_.provider,
                               .path = request_.path};
}

Task<bool> BackUp::look(StepContext context, const client::BackupItem& item) {
  const bool has_ended = item.end_time_ms != 0;
  CO_TRY(co_await show_progress(context, has_ended));
  if (item.is_failed) co_return fail(Code::kRefused, co_await why_failed(hint_));
  if (has_ended) co_return true;
  co_return co_await end_without_meta(context, item.start_time_ms);
}

// A real meta server may never end a backup whose files are all in the store (backup/finish.h).
// Returns whether the backup is complete all the same.
Task<bool> BackUp::end_without_meta(StepContext context, int64_t start_time_ms) {
  if (!is_whole_in_store()) {
    whole_since_.reset();
    co_return false;
  }
  const auto now = ports_.clock.now();
  if (!whole_since_) whole_since_ = now;
  if (!is_forgotten_ && now - *whole_since_ < request_.end_within) co_return false;
  if (!CO_TRY(co_await backup::read_info(*store_, place_)).has_value())
    CO_TRY(co_await finish(context, start_time_ms));
  report_.ended_by_cluster = false;
  report_.notes.push_back(
      is_forgotten_
          ? "the meta server has forgotten the backup; all its files are in the store"
          : "the meta server has not ended the backup, although all its files are in the store; it "
            "refuses further backups of table " +
                place_.table + " until it is restarted");
  co_return true;
}

Task<> BackUp::finish(StepContext context, int64_t start_time_ms) {
  const auto& events = context.events;
  const auto found = why_unended();
  bool may_finish = request_.finish;
  if (!may_finish && events.ask)
    may_finish = CO_TRY(co_await events.ask(
        found + ". Verify the files and write backup_info, so that the backup can be restored?"));
  if (!may_finish)
    co_return fail(
        Code::kTimeout,
        fmt::format(
            "{}; `pegmove backups verify --store {}{} --backup {} --finish` verifies the files and "
            "writes backup_info, so that the backup can be restored; then resume this run",
            found, request_.provider, request_.path.empty() ? "" : " --path " + request_.path,
            place_.backup_id));
  events.warn_of(found + "; pegmove verifies the files and writes backup_info");
  const auto verified = CO_TRY(co_await backup::finish_backup(
      *store_, place_,
      {.start_time_ms = start_time_ms,
       .should_stop = [&context] { return context.session.stop().requested(); }},
      [&context](const backup::VerifyReport& report) {
        context.session.show_progress(context.events, progress_of(report), false);
      }));
  if (verified.problem_count > 0)
    co_return fail(
        Code::kCorrupt,
        fmt::format("backup {} is damaged, so it was not finished: /{}: {} ({} problems); "
                    "restart the meta server, remove the backup with `pegmove backups rm`, and "
                    "start another one",
                    place_.backup_id, verified.problems[0].file, verified.problems[0].what,
                    verified.problem_count));
  co_return Result<void>();
}

std::string BackUp::why_unended() const {
  const auto whole =
      fmt::format("all {} partitions of backup {} are complete in {}:/{}", table_.partition_count,
                  place_.backup_id, request_.provider, place_.backup_folder());
  if (is_forgotten_)
    return whole +
           ", but the meta server no longer knows the backup (real ones lose their backups when "
           "they restart or another one becomes the leader)";
  return fmt::format(
      "{}, but the meta server has not ended the backup within {} (real ones can overwrite the "
      "state of a partition that was reported complete: then they never end the backup, and refuse "
      "further backups of table {} until they are restarted)",
      whole, base::format_duration(request_.end_within), place_.table);
}

std::string BackUp::left_alone() const { return "the cluster continues the backup by itself"; }

Task<> BackUp::show_progress(StepContext context, bool has_ended) {
  BackupProgress progress{.partitions = table_.partition_count, .elapsed = elapsed()};
  auto answer = CO_TRY(
      co_await ask_meta(*cluster_, "backup.status", {std::to_string(place_.app_id)}, deadline()));
  if (answer) {
    read_progress(*answer, progress);
  } else {
    co_await look_into_store();  // no result
    read_parts(has_ended, progress);
  }
  context.session.set_reason(progress.waits_for);
  show(context, progress, has_ended);
  co_return Result<void>();
}

void BackUp::show(StepContext context, const BackupProgress& progress, bool has_ended) {
  const bool in_bytes = progress.done_bytes && progress.all_bytes;
  context.session.show_progress(
      context.events,
      {.line = to_line(progress),
       .unit = in_bytes ? "bytes" : "partitions",
       .done = in_bytes ? *progress.done_bytes : progress.partitions_done.value_or(-1),
       .total = in_bytes ? *progress.all_bytes : progress.partitions},
      has_ended);
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

// Of a real cluster, which reports nothing.
void BackUp::read_parts(bool has_ended, BackupProgress& progress) const {
  if (!store_)
    progress.waits_for = fmt::format(
        "partitions are not counted, since [block_service.{}] is not in pegmove's own "
        "configuration",
        request_.provider);
  if (!parts_) return;
  progress.partitions_done = parts_->complete;
  if (has_ended) return;
  if (is_whole_in_store()) {
    progress.waits_for = "the meta server has not ended the backup";
    return;
  }
  progress.waits_for = fmt::format("{} upload, {} make their checkpoint", parts_->uploading,
                                   progress.partitions - parts_->complete - parts_->uploading);
}

Routine<> BackUp::look_into_store() {
  parts_.reset();
  if (!store_) co_return;
  if (!stored_) stored_.emplace(*store_, place_, table_.partition_count);
  auto parts = co_await stored_->look();
  if (parts) parts_ = *parts;  // otherwise it is not known
}

Routine<std::string> BackUp::why_failed(std::string hint) {
  std::string text = "the cluster reports that the backup failed: " + hint;
  if (hint.contains("failed:")) co_return text;
  co_await look_into_store();  // no result
  if (!parts_ || is_whole_in_store()) co_return text;
  std::string missing;
  for (const auto partition : stored_->incomplete())
    missing += (missing.empty() ? "" : ", ") + std::to_string(partition);
  co_return fmt::format("{}; not finished: partitions {}; see the logs of their servers", text,
                        missing);
}

Task<Undone> BackUp::cancel(StepContext context) {
  if (place_.backup_id == 0) {  // it is not known whether the backup began
    auto begun = CO_TRY(co_await adopt(context));
    if (!begun) co_return Undone{.end = UndoEnd::kUndone, .says = "the backup had not started"};
    CO_TRY(take({.product = *begun}));
  }
  const auto name = fmt::format("backup {} of table {} in {}:/{}", place_.backup_id, place_.table,
                                request_.provider, place_.backup_folder());
  auto item = co_await ask_status();
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
    report_.notes.push_back(fmt::format(
        "the table's app envs are not kept, since [block_service.{}] is not in pegmove's own "
        "configuration",
        request_.provider));
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

}  // namespace pegmove::migration
