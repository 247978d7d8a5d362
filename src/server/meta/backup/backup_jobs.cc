#include "server/meta/backup/backup_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "async/for_each.h"
#include "base/json_text.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;

constexpr size_t kBackupsAtOnce = 32;
constexpr async::milliseconds kWaitForPrimary{200};
constexpr async::milliseconds kLongestWaitForPrimary{600'000};

std::string id_text(int64_t id) { return std::to_string(id); }

wire::backup_item to_item(const BackupRecord& record) {
  wire::backup_item item;
  item.backup_id = record.place.backup_id;
  item.app_name = record.place.table;
  item.backup_provider_type = record.provider;
  item.backup_path = record.path;
  item.start_time_ms = record.start_ms;
  item.end_time_ms = record.state == JobState::kDone ? record.end_ms : 0;
  item.is_backup_failed = record.state == JobState::kFailed || record.state == JobState::kCancelled;
  return item;
}

}  // namespace

void BackupJobs::resume() {
  for (const auto& [key, record] : context_.records.backups)
    if (record.state == JobState::kRunning && record.policy.empty())
      context_.tasks.spawn(work(key));
}

const AppRecord* BackupJobs::available_table(int32_t app_id) const {
  const auto* app = context_.catalog.find_by_id(app_id);
  return app && app->is_available() ? app : nullptr;
}

std::optional<BackupJobs::Refusal> BackupJobs::check_start(
    const wire::start_backup_app_request& request) const {
  const auto& options = context_.options;
  if (!context_.catalog.find_by_id(request.app_id)) return Refusal{ErrorCode::kAppNotExist, ""};
  if (!available_table(request.app_id))
    return Refusal{ErrorCode::kInvalidState,
                   fmt::format("Backup failed: invalid app id {}.", request.app_id)};
  const auto provider = options.providers.find(request.backup_provider_type);
  if (provider == options.providers.end())
    return Refusal{ErrorCode::kInvalidParameters,
                   fmt::format("Backup failed: invalid backup_provider_type {}.",
                               request.backup_provider_type)};
  if (!request.backup_path.empty() && blockstore::has_root(provider->second))
    return Refusal{ErrorCode::kInvalidParameters,
                   "Backup failed: the default backup path has already configured in "
                   "`hdfs_service`, please modify the configuration if you want to use a specific "
                   "backup path."};
  for (const auto& [key, record] : context_.records.backups)
    if (key.second == request.app_id && record.policy.empty() && record.state == JobState::kRunning)
      return Refusal{
          ErrorCode::kInvalidState,
          fmt::format("Backup failed: app {} is actively being backed up.", request.app_id)};
  return std::nullopt;
}

// The record is on disk when this returns.
Result<BackupKey> BackupJobs::note(const wire::start_backup_app_request& request) {
  auto& backups = context_.records.backups;
  const auto& table = available_table(request.app_id)->info.app_name;
  TRY(backup::check_table_folder(table, request.app_id));
  BackupRecord record{.place = {.root = TRY(backup::root_of(request.backup_path,
                                                            context_.options.cold_backup_root)),
                                .backup_id = context_.now_ms(),
                                .table = table,
                                .app_id = request.app_id},
                      .provider = request.backup_provider_type,
                      .path = request.backup_path,
                      .policy = ""};
  // Ids name the folders of backups, so they must be unique.
  const auto is_taken = [&](int64_t id) {
    return std::ranges::any_of(backups, [&](const auto& each) { return each.first.first == id; });
  };
  while (is_taken(record.place.backup_id)) ++record.place.backup_id;
  record.start_ms = record.place.backup_id;
  const BackupKey key{record.place.backup_id, record.place.app_id};
  MetaBatch batch;
  put_backup(batch, record);
  if (!context_.options.never_ends && !context_.save_now(std::move(batch), "recording a backup"))
    return fail(Code::kIo, "the backup could not be recorded on the meta server's disk");
  backups[key] = std::move(record);
  context_.failpoint("backup.job_noted");
  return key;
}

Routine<wire::start_backup_app_response> BackupJobs::start(wire::start_backup_app_request request) {
  wire::start_backup_app_response response;
  const auto refuse = [&](ErrorCode code, std::string hint) {
    response.err.code = code;
    response.hint_message = std::move(hint);
  };
  if (auto refusal = check_start(request)) {
    refuse(refusal->code, refusal->hint);
    co_return response;
  }
  auto key = note(request);
  if (!key) {
    refuse(wire_code_of(key.error()), "Backup failed: " + key.error().message());
    co_return response;
  }
  active_[*key];
  if (auto written = co_await write_marker(*key, BackupContext::Patience::kNone); !written) {
    context_.log.error(written.error().to_string());
    refuse(wire_code_of(written.error()),
           fmt::format("Backup failed: could not backup metadata for app {}. {}", request.app_id,
                       written.error().to_string()));
    co_await end(*key, std::move(written));  // no result
    co_return response;
  }
  context_.tasks.spawn(work(*key));
  response.__set_backup_id(key->first);
  response.hint_message = fmt::format(
      "Backup succeed: metadata of app {} has been successfully backed up and backup request has "
      "been sent to replica servers.",
      request.app_id);
  co_return response;
}

wire::query_backup_status_response BackupJobs::query(
    const wire::query_backup_status_request& request) const {
  wire::query_backup_status_response response;
  std::vector<wire::backup_item> items;
  std::string reasons;
  for (const auto& [key, record] : context_.records.backups) {
    if (key.second != request.app_id || !record.policy.empty()) continue;
    if (request.__isset.backup_id && request.backup_id != 0 && request.backup_id != key.first)
      continue;
    items.push_back(to_item(record));
    if (!record.reason.empty())
      reasons +=
          fmt::format(" Backup {} {}: {}", key.first, to_string(record.state), record.reason);
  }
  if (items.empty()) {
    response.err.code = ErrorCode::kInvalidParameters;
    response.hint_message = "Backup not found, please check app_id or backup_id.";
    return response;
  }
  response.hint_message = fmt::format("There are {} available backups for app {}.{}", items.size(),
                                      request.app_id, reasons);
  response.__set_backup_items(std::move(items));
  return response;
}

int BackupJobs::cancel(int32_t app_id, int64_t backup_id, const std::string& reason) {
  int cancelled = 0;
  MetaBatch batch;
  for (auto& [key, active] : active_) {
    auto& job = record(key);
    if (key.second != app_id || (backup_id != 0 && key.first != backup_id)) continue;
    if (job.cancel_reason.empty()) job.cancel_reason = reason;
    put_backup(batch, job);
    for (auto& partition : active.partitions) partition->cancelled = true;
    ++cancelled;
  }
  if (cancelled > 0) context_.save_now(std::move(batch), "recording that a backup was cancelled");
  return cancelled;
}

bool BackupJobs::is_busy(int32_t app_id) const {
  return std::ranges::any_of(active_, [&](const auto& job) { return job.first.second == app_id; });
}

std::optional<BackupJobs::Progress> BackupJobs::progress(BackupKey key) const {
  const auto found = active_.find(key);
  if (found == active_.end()) return std::nullopt;
  Progress sum;
  for (const auto& partition : found->second.partitions) {
    sum.done_bytes += partition->done_bytes;
    sum.all_bytes += partition->all_bytes;
    sum.sent_bytes += partition->sent_bytes;
  }
  sum.partitions = int32_t(found->second.partitions.size());
  sum.partitions_done = int32_t(std::ranges::count(found->second.is_done, true));
  return sum;
}

std::string BackupJobs::status(int32_t app_id) const {
  auto out = nlohmann::ordered_json::array();
  for (const auto& [key, record] : context_.records.backups) {
    if (app_id != 0 && key.second != app_id) continue;
    nlohmann::ordered_json job{{"backup_id", key.first},
                               {"app_id", key.second},
                               {"table", record.place.table},
                               {"policy", record.policy},
                               {"provider", record.provider},
                               {"folder", record.place.table_folder()},
                               {"state", to_string(record.state)},
                               {"reason", record.reason},
                               {"start_ms", record.start_ms},
                               {"end_ms", record.end_ms},
                               {"bytes", record.bytes}};
    if (const auto now = progress(key)) {
      job["done_bytes"] = now->done_bytes;
      job["all_bytes"] = now->all_bytes;
      job["sent_bytes"] = now->sent_bytes;
      job["partitions"] = now->partitions;
      job["partitions_done"] = now->partitions_done;
    }
    out.push_back(std::move(job));
  }
  return base::json_text(out, 2, base::NoUtf8::kReplace);
}

// A marker in the table's folder until the backup is complete, so that it is not taken for a backup
// before. Real meta servers have none, and write the table's metadata first.
Task<> BackupJobs::write_marker(BackupKey key, BackupContext::Patience patience) {
  if (context_.options.never_ends && record(key).policy.empty())
    co_return co_await write_metadata(key, patience);
  const auto record = this->record(key);
  auto store = CO_TRY(context_.store(record.provider, patience));
  CO_TRY(co_await store.write_file(record.place.unfinished_file(),
                                   base::json_text(nlohmann::json{{"start_ms", record.start_ms}})));
  context_.failpoint("backup.marker_written");
  co_return Result<void>();
}

Task<> BackupJobs::back_up_partition(BackupKey key, int32_t partition) {
  const auto place = record(key).place;
  const auto provider = record(key).provider;
  const auto policy = record(key).policy;
  auto progress = active_.at(key).partitions[size_t(partition)];
  const auto doing = "partition " + std::to_string(partition);
  const auto deadline = Deadline::in(context_.clock, kLongestWaitForPrimary);
  while (true) {
    const auto* app = available_table(key.second);
    if (!app) co_return fail(Code::kNotFound, "the table was dropped");
    if (progress->cancelled) co_return fail(Code::kInterrupted, "cancelled");
    if (context_.stopped()) co_return fail(Code::kInterrupted, "the server is stopping");
    const auto node = app->partitions[size_t(partition)].node;
    auto done = co_await context_.nodes.back_up(
        node,
        {.gpid = {key.second, partition},
         .provider = provider,
         .policy = policy.empty() ? "fake_policy_" + id_text(key.first) : policy,
         .place = place},
        progress);
    if (done) {
      record(key).reason.clear();
      active_.at(key).is_done[size_t(partition)] = true;
      co_return Result<void>();
    }
    const Gpid gpid{key.second, partition};
    if (blockstore::is_transient(done.error())) {
      record(key).reason = "waits: " + done.error().to_string();
      context_.log.warning(fmt::format("backup of table {} {}", place.table, record(key).reason));
      co_await context_.clock.sleep_for(kWaitForStore);  // no result
      continue;
    }
    if (context_.nodes.serves(node, gpid) || deadline.passed(context_.clock)) {
      // The others need not continue.
      if (!context_.stopped())
        for (auto& other : active_.at(key).partitions) other->cancelled = true;
      co_return in_context(Result<void>(fail(std::move(done.error()))), doing);
    }
    co_await context_.clock.sleep_for(kWaitForPrimary);  // no result
  }
}

Task<> BackupJobs::back_up_table(BackupKey key) {
  const auto* app = available_table(key.second);
  if (!app) co_return fail(Code::kNotFound, "the table was dropped");
  auto& active = active_[key];
  const auto count = size_t(app->info.partition_count);
  active.is_done.assign(count, false);
  while (active.partitions.size() < count) {
    active.partitions.push_back(std::make_shared<backup::PartitionProgress>());
    active.partitions.back()->cancelled = !record(key).cancel_reason.empty();
  }
  CO_TRY(co_await write_marker(key, BackupContext::Patience::kMinutes));
  CO_TRY(co_await async::for_each(
      count, kBackupsAtOnce, [this, key](size_t i) { return back_up_partition(key, int32_t(i)); }));
  co_return co_await finish_table(key);
}

Task<> BackupJobs::write_metadata(BackupKey key, BackupContext::Patience patience) {
  const auto* app = available_table(key.second);
  if (!app) co_return fail(Code::kNotFound, "the table was dropped");
  const auto place = record(key).place;
  auto info = app->info;
  info.app_name = place.table;  // it may have been renamed meanwhile
  const auto metadata = backup::encode_app_metadata(info);
  auto store = CO_TRY(context_.store(record(key).provider, patience));
  co_return co_await store.write_file(place.metadata_file(), metadata);
}

// Writes the metadata that makes the files a complete backup.
Task<> BackupJobs::finish_table(BackupKey key) {
  const auto place = record(key).place;
  int64_t bytes = 0;
  for (const auto& partition : active_.at(key).partitions) bytes += partition->all_bytes;
  record(key).bytes = bytes;
  auto store = CO_TRY(context_.store(record(key).provider));
  if (!record(key).policy.empty())
    CO_TRY(co_await store.write_file(place.status_file(), backup::encode_backup_status(bytes)));
  CO_TRY(co_await write_metadata(key, BackupContext::Patience::kMinutes));
  context_.failpoint("backup.app_metadata_written");
  CO_TRY(co_await store.remove(place.unfinished_file()));
  context_.failpoint("backup.marker_removed");
  co_return Result<void>();
}

Task<> BackupJobs::write_info(BackupKey key) {
  const auto record = this->record(key);
  const backup::BackupInfo info{.backup_id = key.first,
                                .start_time_ms = record.start_ms,
                                .end_time_ms = context_.now_ms(),
                                .tables = {{key.second, record.place.table}}};
  auto store = CO_TRY(context_.store(record.provider));
  CO_TRY(co_await context_.write_envs(store, record.place, info));
  CO_TRY(co_await store.write_file(record.place.info_file(), backup::encode(info)));
  context_.failpoint("backup.info_written");
  co_return Result<void>();
}

Routine<> BackupJobs::work(BackupKey key) {
  if (!context_.records.backups.contains(key)) co_return;  // removed with its table
  auto outcome = co_await back_up_table(key);
  if (outcome && context_.options.never_ends) co_return;
  if (outcome && record(key).cancel_reason.empty()) outcome = co_await write_info(key);
  co_await end(key, std::move(outcome));  // no result
}

Task<> BackupJobs::run_for_policy(BackupKey key) {
  auto outcome = co_await back_up_table(key);
  co_await end(key, outcome);  // no result
  co_return outcome;
}

Routine<> BackupJobs::end(BackupKey key, Result<void> outcome) {
  active_.erase(key);
  const auto cancelled = record(key).cancel_reason;
  if (cancelled.empty() && context_.stopped()) co_return;  // resumed after the next start
  record(key).end_ms = context_.now_ms();
  record(key).state = !cancelled.empty() ? JobState::kCancelled
                      : outcome          ? JobState::kDone
                                         : JobState::kFailed;
  record(key).reason = !cancelled.empty() ? cancelled : outcome ? "" : outcome.error().to_string();
  const auto ended = record(key);
  const auto text =
      fmt::format("backup {} of table {}: {}{}", key.first, ended.place.table,
                  to_string(ended.state), ended.reason.empty() ? "" : ": " + ended.reason);
  ended.state == JobState::kDone ? context_.log.info(text) : context_.log.error(text);
  MetaBatch batch;
  put_backup(batch, ended);
  forget_old_backups(context_.records, batch);
  co_await context_.save(std::move(batch), "recording the end of a backup");  // no result
  context_.failpoint("backup.end_noted");
  if (ended.state != JobState::kDone) co_await remove_files(ended);  // no result
}

// Removes the metadata first, so that a partly removed backup is not taken for one.
Routine<> BackupJobs::remove_files(BackupRecord ended) {
  const auto& place = ended.place;
  std::vector<std::string> paths{place.metadata_file(), place.table_folder()};
  if (ended.policy.empty())
    paths = {place.info_file(), place.metadata_file(), place.backup_folder()};
  auto store = context_.store(ended.provider, BackupContext::Patience::kNone);
  if (!store) co_return;
  for (const auto& path : paths)
    if (auto removed = co_await store->remove(path); !removed) {
      context_.log.error(fmt::format("{}; {} is not a backup, and can be removed by hand",
                                     removed.error().to_string(), paths.back()));
      co_return;
    }
}

}  // namespace pegmove::server::meta
