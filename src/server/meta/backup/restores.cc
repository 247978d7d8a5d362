#include "server/meta/backup/restores.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "async/for_each.h"
#include "backup/reader.h"
#include "base/json_text.h"
#include "base/table_name.h"
#include "meta_types.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;

constexpr size_t kRestoresAtOnce = 16;
constexpr int32_t kPerMille = 1000;  // progress in per mille
constexpr int64_t kReserveSecondsOfFailed = 1;

wire::configuration_create_app_response refusal(ErrorCode code) {
  wire::configuration_create_app_response response;
  response.err.code = code;
  response.appid = -1;  // as in Pegasus
  return response;
}

bool is_damage(const Error& error) {
  return error.code() == Code::kCorrupt || error.code() == Code::kNotFound ||
         error.code() == Code::kTooLarge;
}

// Pegasus: restore.* in src/common/replica_envs.h.
std::map<std::string, std::string> restore_envs(
    const wire::configuration_restore_request& request) {
  std::map<std::string, std::string> envs{
      {"restore.block_service_provider", request.backup_provider_name},
      {"restore.cluster_name", request.cluster_name},
      {"restore.policy_name", request.policy_name},
      {"restore.app_name", request.app_name},
      {"restore.app_id", std::to_string(request.app_id)},
      {"restore.backup_id", std::to_string(request.time_stamp)}};
  if (request.skip_bad_partition) envs["restore.skip_bad_partition"] = "true";
  if (request.__isset.restore_path) envs["restore.restore_path"] = request.restore_path;
  return envs;
}

int32_t permille(const backup::PartitionProgress& progress) {
  const auto all = progress.all_bytes.load();
  if (all <= 0) return 0;
  return int32_t(double(progress.done_bytes) / double(all) * (kPerMille - 1));
}

}  // namespace

RestoreRecord* Restores::find(int32_t app_id) {
  auto& restores = context_.records.restores;
  const auto found = restores.find(app_id);
  return found == restores.end() ? nullptr : &found->second;
}

void Restores::resume() {
  for (const auto& [app_id, record] : context_.records.restores) {
    if (record.state == JobState::kRunning) context_.tasks.spawn(work(app_id));
    if (record.state == JobState::kFailed) drop(app_id);  // the drop may not have happened
  }
}

void Restores::table_recalled(int32_t app_id) {
  auto* record = find(app_id);
  if (!record || record->state == JobState::kRunning ||
      std::ranges::find(record->partitions, RestoredPartition::kMissing) ==
          record->partitions.end())
    return;
  auto resumed = *record;
  resumed.state = JobState::kRunning;
  resumed.reason.clear();
  MetaBatch batch;
  put_restore(batch, resumed);
  if (!context_.save_now(std::move(batch), "resuming a restore")) return;
  *record = std::move(resumed);
  context_.tasks.spawn(work(app_id));
}

bool Restores::is_pending(int32_t app_id, int32_t partition) const {
  const auto& restores = context_.records.restores;
  const auto found = restores.find(app_id);
  return found != restores.end() &&
         found->second.partitions[size_t(partition)] == RestoredPartition::kMissing;
}

void Restores::table_dropped(int32_t app_id) {
  const auto found = active_.find(app_id);
  if (found == active_.end()) return;
  for (auto& progress : found->second.partitions) progress->cancelled = true;
}

Result<backup::Place> Restores::place_of(const wire::configuration_restore_request& request) const {
  return backup::Place{
      .root = TRY(backup::root_of(request.restore_path, request.cluster_name, request.policy_name)),
      .backup_id = request.time_stamp,
      .table = request.app_name,
      .app_id = request.app_id};
}

Routine<wire::configuration_create_app_response> Restores::start(
    wire::configuration_restore_request request) {
  if (context_.catalog.is_frozen()) co_return refusal(ErrorCode::kStateFreezed);
  const auto refuse = [&](const Error& error) {
    context_.log.warning(fmt::format("restoring {}: {}", request.app_name, error.to_string()));
    return refusal(wire_code_of(error));
  };
  auto store = context_.store(request.backup_provider_name, BackupContext::Patience::kNone);
  if (!store) {
    refuse(store.error());
    co_return refusal(ErrorCode::kInvalidParameters);
  }
  if (auto named = base::check_table_name(request.new_app_name); !named)
    co_return refuse(named.error());
  auto place = place_of(request);
  if (!place) co_return refuse(place.error());
  auto saved = co_await backup::read_table(*store, *place);
  if (!saved) co_return refuse(saved.error());
  auto unfinished = co_await store->find(place->unfinished_file());
  if (unfinished && *unfinished)
    co_return refuse(Error(Code::kNotFound, "the backup is not finished"));
  if (context_.catalog.find(request.new_app_name)) {
    context_.log.warning(
        fmt::format("restoring {}: there is a table {}", request.app_name, request.new_app_name));
    co_return refusal(ErrorCode::kInvalidParameters);
  }
  auto app_id = make_table(request, *place, *saved);
  if (!app_id) co_return refuse(app_id.error());
  context_.tasks.spawn(work(*app_id));
  auto response = refusal(ErrorCode::kOk);
  response.appid = *app_id;
  co_return response;
}

// The record is written together with the table: a table without it would be opened empty.
Result<int32_t> Restores::make_table(const wire::configuration_restore_request& request,
                                     const backup::Place& place, const wire::app_info& saved) {
  if (saved.partition_count > kMaxPartitionCount)
    return fail(Code::kInvalidArgument,
                fmt::format("a table of an embedded cluster has at most {} partitions",
                            kMaxPartitionCount));
  auto app = context_.catalog.make_restored(saved, request.new_app_name, restore_envs(request),
                                            context_.clock.unix_seconds());
  TRY(check_envs_fit(app.info.envs));
  const auto app_id = app.info.app_id;
  RestoreRecord record{
      .place = place,
      .provider = request.backup_provider_name,
      .app_id = app_id,
      .skip_bad = request.skip_bad_partition,
      .start_ms = context_.now_ms(),
      .state = JobState::kRunning,
      .partitions = std::vector(app.partitions.size(), RestoredPartition::kMissing)};
  MetaBatch batch;
  put_whole_restore(batch, record);
  if (!context_.catalog.replace(std::move(app), "restoring " + request.new_app_name,
                                std::move(batch)))
    return fail(Code::kIo, "the restore could not be recorded on the meta server's disk");
  context_.records.restores[app_id] = std::move(record);
  context_.failpoint("restore.table_noted");
  return app_id;
}

Routine<> Restores::work(int32_t app_id) {
  const auto* record = find(app_id);
  if (!record) co_return;  // removed with its table
  // An error of the configuration, not damage: a start with the right configuration resumes the
  // restore.
  if (auto store = context_.store(record->provider); !store) {
    context_.log.error(fmt::format("restoring table {} waits: {}", record->place.table,
                                   store.error().to_string()));
    co_return;
  }
  auto& partitions = active_[app_id].partitions;
  for (size_t i = 0; i < record->partitions.size(); ++i)
    partitions.push_back(std::make_shared<backup::PartitionProgress>());
  auto outcome = co_await restore_table(app_id);
  active_.erase(app_id);
  if (!outcome && context_.stopped()) co_return;  // resumed after the next start
  co_await end(app_id, std::move(outcome));       // no result
}

Task<> Restores::restore_table(int32_t app_id) {
  const auto count = find(app_id)->partitions.size();
  CO_TRY(co_await async::for_each(count, kRestoresAtOnce, [this, app_id](size_t i) {
    return fetch_partition(app_id, int32_t(i));
  }));
  co_return co_await async::for_each(count, kRestoresAtOnce, [this, app_id](size_t i) {
    return open_partition(app_id, int32_t(i));
  });
}

Result<AppRecord> Restores::available_table(int32_t app_id) const {
  const auto* app = context_.catalog.find_by_id(app_id);
  if (app && app->is_available()) return *app;
  return fail(Code::kInterrupted, "the table was dropped");
}

Task<> Restores::fetch_partition(int32_t app_id, int32_t partition) {
  if (!is_pending(app_id, partition)) co_return Result<void>();
  const auto app = CO_TRY(available_table(app_id));
  const auto record = *find(app_id);
  const auto progress = active_.at(app_id).partitions[size_t(partition)];
  auto fetched = co_await context_.patiently(
      "restoring table " + record.place.table,
      [&] {
        return context_.nodes.restore(
            app.partitions[size_t(partition)].node,
            {.gpid = {app_id, partition}, .provider = record.provider, .place = record.place},
            progress);
      },
      [&] { return !available_table(app_id); },
      [&](const std::string& why) { active_.at(app_id).waits_for = why; });
  CO_TRY(available_table(app_id));
  if (fetched) co_return fetched;
  auto why = std::move(fetched.error()).with_context("partition " + std::to_string(partition));
  if (is_damage(why) && record.skip_bad) {
    active_.at(app_id).damaged.emplace(partition, std::move(why));
    co_return Result<void>();
  }
  // The others need not continue.
  if (!context_.stopped())
    for (auto& other : active_.at(app_id).partitions) other->cancelled = true;
  co_return fail(std::move(why));
}

Task<> Restores::open_partition(int32_t app_id, int32_t partition) {
  if (!is_pending(app_id, partition)) co_return Result<void>();
  const auto app = CO_TRY(available_table(app_id));
  auto& damaged = active_.at(app_id).damaged;
  if (!damaged.contains(partition)) {
    auto opened = co_await host_.open(app, partition, false);
    if (auto still = available_table(app_id); !still) {
      host_.dropped(app_id);  // releases it again
      co_return fail(std::move(still.error()));
    }
    if (opened) {
      MetaBatch batch;
      find(app_id)->partitions[size_t(partition)] = RestoredPartition::kDone;
      put_restored_partition(batch, *find(app_id), size_t(partition));
      context_.save_soon(std::move(batch));  // if lost, its files are found in place
      context_.failpoint("restore.partition_noted");
      co_return Result<void>();
    }
    auto why = std::move(opened.error()).with_context("partition " + std::to_string(partition));
    if (!is_damage(why) || !find(app_id)->skip_bad) co_return fail(std::move(why));
    damaged.emplace(partition, std::move(why));
  }
  CO_TRY(co_await host_.discard(app, partition));
  // Before it is created: every start creates a partition that is recorded as skipped, empty.
  CO_TRY(co_await note_skipped(app_id, partition));
  co_return co_await host_.open(CO_TRY(available_table(app_id)), partition, true);
}

Task<> Restores::note_skipped(int32_t app_id, int32_t partition) {
  auto* record = find(app_id);
  record->partitions[size_t(partition)] = RestoredPartition::kSkipped;
  const auto& why = active_.at(app_id).damaged.at(partition);
  record->reason += (record->reason.empty() ? "skipped " : "; skipped ") + why.to_string();
  MetaBatch batch;
  put_restore(batch, *record);
  put_restored_partition(batch, *record, size_t(partition));
  if (!co_await context_.save(std::move(batch), "recording a skipped partition"))
    co_return fail(Code::kIo, "a skipped partition could not be recorded");
  context_.failpoint("restore.partition_noted");
  co_return Result<void>();
}

// Pegasus also drops a table that cannot be restored. Before the end is recorded: a killed server
// must not lose the drop.
Routine<> Restores::end(int32_t app_id, Result<void> outcome) {
  auto* record = find(app_id);
  if (!outcome) {
    record->reason = outcome.error().to_string();
    context_.log.error(fmt::format("restoring table {}: {}", record->place.table, record->reason));
    drop(app_id);
  }
  record->end_ms = context_.now_ms();
  record->state = outcome ? JobState::kDone : JobState::kFailed;
  MetaBatch batch;
  put_whole_restore(batch, *record);
  co_await context_.save(std::move(batch), "recording the end of a restore");  // no result
  context_.failpoint("restore.end_noted");
}

void Restores::drop(int32_t app_id) {
  const auto* app = context_.catalog.find_by_id(app_id);
  if (!app || !app->is_available()) return;
  wire::configuration_drop_app_request drop;
  drop.app_name = app->info.app_name;
  drop.options.success_if_not_exist = true;
  drop.options.__set_reserve_seconds(kReserveSecondsOfFailed);
  const auto dropped = context_.catalog.drop(drop, context_.clock.unix_seconds());
  if (dropped.err.code == ErrorCode::kOk) host_.dropped(app_id);
}

wire::configuration_query_restore_response Restores::query(
    const wire::configuration_query_restore_request& request) const {
  wire::configuration_query_restore_response response;
  const auto& restores = context_.records.restores;
  const auto found = restores.find(request.restore_app_id);
  const auto* app = context_.catalog.find_by_id(request.restore_app_id);
  if (found == restores.end() && !app) {
    response.err.code = ErrorCode::kAppNotExist;
    return response;
  }
  if (!app || !app->is_available()) {
    response.err.code = ErrorCode::kAppDropped;
    return response;
  }
  const auto active = active_.find(request.restore_app_id);
  for (size_t i = 0; i < app->partitions.size(); ++i) {
    auto state = found == restores.end() ? RestoredPartition::kDone : found->second.partitions[i];
    wire::error_code status;
    if (state == RestoredPartition::kSkipped) status.code = ErrorCode::kIgnoreBadData;
    response.restore_status.push_back(status);
    response.restore_progress.push_back(state != RestoredPartition::kMissing ? kPerMille
                                        : active != active_.end() &&
                                                active->second.partitions.size() > i
                                            ? permille(*active->second.partitions[i])
                                            : 0);
  }
  return response;
}

std::string Restores::status(int32_t app_id) const {
  auto out = nlohmann::ordered_json::array();
  for (const auto& [id, record] : context_.records.restores) {
    if (app_id != 0 && id != app_id) continue;
    nlohmann::ordered_json restore{{"app_id", id},
                                   {"backup_id", record.place.backup_id},
                                   {"provider", record.provider},
                                   {"folder", record.place.table_folder()},
                                   {"state", to_string(record.state)},
                                   {"reason", record.reason},
                                   {"start_ms", record.start_ms},
                                   {"end_ms", record.end_ms}};
    if (const auto active = active_.find(id); active != active_.end()) {
      int64_t done = 0, all = 0;
      for (const auto& progress : active->second.partitions) {
        done += progress->done_bytes;
        all += progress->all_bytes;
      }
      restore["done_bytes"] = done;
      restore["all_bytes"] = all;
      restore["waits_for"] = active->second.waits_for;
    }
    out.push_back(std::move(restore));
  }
  return base::json_text(out, 2, base::NoUtf8::kReplace);
}

}  // namespace pegmove::server::meta
