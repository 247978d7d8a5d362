#include "server/meta/duplication/duplications.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "async/for_each.h"
#include "base/json_text.h"
#include "base/table_name.h"
#include "meta_view/table_view.h"
#include "service/local_time.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;

constexpr size_t kLogsAtOnce = 16;
constexpr async::milliseconds kWaitForPartition{50};
constexpr async::milliseconds kLongestWaitForPartition{5'000};
constexpr const char* kNotOnDisk =
    "the change could not be written; the log of the meta server says why";

wire::duplication_add_response add_refused(ErrorCode code, const std::string& hint) {
  wire::duplication_add_response response;
  response.err.code = code;
  response.__set_hint(hint);
  return response;
}

wire::duplication_add_response added(ErrorCode code, const DuplicationRecord& record) {
  wire::duplication_add_response response;
  response.err.code = code;
  response.appid = record.app_id;
  response.dupid = record.id;
  response.__set_remote_app_name(record.remote_table);
  response.__set_remote_replica_count(record.remote_replica_count);
  return response;
}

wire::duplication_status first_status(const wire::duplication_add_request& request) {
  return request.is_duplicating_checkpoint ? wire::DS_PREPARE : wire::DS_LOG;
}

std::string remote_table_of(const wire::duplication_add_request& request) {
  return request.remote_app_name.empty() ? request.app_name : request.remote_app_name;
}

// What requests may do. The other changes of Pegasus's table (DS_INIT to DS_PREPARE to DS_APP to
// DS_LOG) are steps of a full duplication.
bool may_be_requested(wire::duplication_status from, wire::duplication_status to) {
  return from == to || to == wire::DS_REMOVED || (from == wire::DS_PAUSE && to == wire::DS_LOG) ||
         (from == wire::DS_LOG && to == wire::DS_PAUSE);
}

bool is_fail_mode(wire::duplication_fail_mode mode) {
  return mode >= wire::FAIL_SLOW && mode <= wire::FAIL_FAST;
}

// For those who read it in Pegasus's shell or over HTTP.
nlohmann::json to_json(const wire::duplication_entry& entry) {
  auto partitions = nlohmann::json::object();
  for (const auto& [index, state] : entry.partition_states) {
    auto& partition = partitions[std::to_string(index)];
    partition = {{"confirmed_decree", state.confirmed_decree},
                 {"last_committed_decree", state.last_committed_decree}};
    if (state.__isset.error) partition["error"] = state.error;
    if (state.__isset.waits_for) partition["waits_for"] = state.waits_for;
  }
  nlohmann::json json{{"dupid", entry.dupid},
                      {"create_ts", service::local_date_time(entry.create_ts / 1000)},
                      {"remote", entry.remote},
                      {"status", status_name(entry.status)},
                      {"fail_mode", fail_mode_name(entry.fail_mode)},
                      {"remote_app_name", entry.remote_app_name},
                      {"remote_replica_count", entry.remote_replica_count},
                      {"partition_states", std::move(partitions)}};
  if (entry.__isset.waits_for) json["waits_for"] = entry.waits_for;
  return json;
}

}  // namespace

std::string to_json_text(const wire::duplication_query_response& response) {
  nlohmann::json json;  // "null" without duplications, as in Pegasus
  int number = 0;
  for (const auto& entry : response.entry_list) {
    json["appid"] = response.appid;
    json[std::to_string(++number)] = to_json(entry);
  }
  return base::json_text(json, -1, base::NoUtf8::kReplace);
}

Duplications::Duplications(BackupContext& context, DuplicationState records,
                           DuplicationOptions options, FollowerPort follower)
    : context_(context),
      records_(std::move(records)),
      options_(std::move(options)),
      work_(context_, records_, options_, std::move(follower)) {
  for (const auto& [app_id, table] : records_)
    for (const auto& [id, record] : table) last_id_ = std::max(last_id_, id);
}

void Duplications::resume() {
  for (const auto& [app_id, table] : records_)
    for (const auto& [id, record] : table) work_.follow(app_id, id);
  work_.watch();
}

void Duplications::table_recalled(int32_t app_id) {
  const auto table = records_.find(app_id);
  if (table == records_.end()) return;
  for (auto& [id, record] : table->second) {
    if (must_pause(record)) record.status = wire::DS_PAUSE;
    work_.follow(app_id, id);
  }
  work_.send(app_id);  // nodes that have not released the dropped table yet
}

bool Duplications::must_pause(const DuplicationRecord& record) const {
  return record.status == wire::DS_LOG &&
         work_.rival(record, DuplicationWork::Others::kAvailable) != nullptr;
}

MetaBatch Duplications::recalling(int32_t app_id) const {
  MetaBatch batch;
  const auto table = records_.find(app_id);
  if (table == records_.end()) return batch;
  for (const auto& [id, record] : table->second) {
    if (!must_pause(record)) continue;
    auto paused = record;
    paused.status = wire::DS_PAUSE;
    put_duplication(batch, paused);
  }
  return batch;
}

std::optional<std::string> Duplications::needs_name_of(int32_t app_id) const {
  const auto table = records_.find(app_id);
  if (table == records_.end()) return std::nullopt;
  for (const auto& [id, record] : table->second)
    if (record.status == wire::DS_PREPARE || record.status == wire::DS_APP)
      return fmt::format(
          "the cluster '{}' fetches the table under this name: rename it when its duplication {} "
          "is in DS_LOG, or remove that first",
          record.remote, id);
  return std::nullopt;
}

int32_t Duplications::next_id() {
  last_id_ = std::max(int32_t(context_.clock.unix_seconds()), last_id_ + 1);
  return last_id_;
}

// ---- add

std::optional<Duplications::Refusal> Duplications::check_cluster_id(
    const std::string& cluster) const {
  if (options_.group.contains(cluster)) return std::nullopt;
  const auto why = cluster.empty() ? std::string("ERR_INVALID_PARAMETERS: cluster_name is empty")
                   : options_.group.empty()
                       ? "ERR_OBJECT_NOT_FOUND: `duplication-group` is not configured"
                       : "ERR_OBJECT_NOT_FOUND: failed to get cluster id for  << " + cluster;
  return Refusal{ErrorCode::kInvalidParameters,
                 fmt::format("get_duplication_cluster_id({}) failed, error: {}", cluster, why)};
}

std::optional<Duplications::Refusal> Duplications::check_remote(
    const wire::duplication_add_request& request) const {
  const auto& remote = request.remote_cluster_name;
  const auto refuse = [](std::string hint) {
    return Refusal{ErrorCode::kInvalidParameters, std::move(hint)};
  };
  if (remote == options_.cluster_name)
    return refuse("illegal operation: adding duplication to itself");
  for (const auto& cluster : {remote, options_.cluster_name})
    if (auto refusal = check_cluster_id(cluster)) return refusal;
  if (!options_.clusters.contains(remote))
    return refuse(
        fmt::format("failed to find cluster[{}] address in config [pegasus.clusters]", remote));
  if (request.remote_replica_count < 0)
    return refuse(fmt::format("invalid remote_replica_count({}) which should never be negative",
                              request.remote_replica_count));
  if (auto named = base::check_table_name(remote_table_of(request)); !named)
    return refuse(named.error().message());
  return std::nullopt;
}

std::optional<Duplications::Refusal> Duplications::check_table(
    const wire::duplication_add_request& request) const {
  const auto* app = context_.catalog.find(request.app_name);
  if (!app)
    return Refusal{ErrorCode::kAppNotExist, fmt::format("app {} was not found", request.app_name)};
  return check_rivals({.app_id = app->info.app_id,
                       .remote = request.remote_cluster_name,
                       .remote_table = remote_table_of(request),
                       .confirmed = {}});
}

std::optional<Duplications::Refusal> Duplications::check_rivals(
    const DuplicationRecord& record) const {
  const auto* other = work_.rival(record, DuplicationWork::Others::kDroppedToo);
  if (!other) return std::nullopt;
  return Refusal{ErrorCode::kInvalidParameters, work_.rival_text(*other)};
}

Routine<wire::duplication_add_response> Duplications::add(wire::duplication_add_request request) {
  while (true) {
    if (const auto refusal = check_remote(request))
      co_return add_refused(refusal->code, refusal->hint);
    if (const auto refusal = check_table(request))
      co_return add_refused(refusal->code, refusal->hint);
    const auto app_id = context_.catalog.find(request.app_name)->info.app_id;
    if (!work_.is_held(app_id)) {
      if (const auto table = records_.find(app_id); table != records_.end())
        for (auto& [id, record] : table->second)
          if (record.remote == request.remote_cluster_name) co_return add_existing(request, record);
      co_return co_await add_new(std::move(request), app_id);
    }
    if (context_.stopped()) co_return add_refused(ErrorCode::kBusy, "the server stops");
    co_await one_added_.wait();  // no result
  }
}

// As in Pegasus, a paused duplication is started by it.
wire::duplication_add_response Duplications::add_existing(
    const wire::duplication_add_request& request, DuplicationRecord& record) {
  const auto started = change(record, first_status(request), record.fail_mode);
  if (started == ErrorCode::kOk) return added(ErrorCode::kDupExist, record);
  return add_refused(started, fmt::format("start dup[{}({})] failed: err = {}", request.app_name,
                                          record.id, wire::error_name(started)));
}

Routine<wire::duplication_add_response> Duplications::add_new(wire::duplication_add_request request,
                                                              int32_t app_id) {
  DuplicationRecord record{.app_id = app_id,
                           .id = next_id(),
                           .remote = request.remote_cluster_name,
                           .remote_table = remote_table_of(request),
                           .remote_replica_count = request.remote_replica_count,
                           .status = first_status(request),
                           .fail_mode = wire::FAIL_SLOW,
                           .create_ms = context_.now_ms(),
                           .confirmed = {}};
  work_.hold(app_id);
  auto kept = co_await keep_logs(app_id);
  auto response = added(ErrorCode::kOk, record);
  const auto* app = context_.catalog.find_by_id(app_id);
  if (!app || !app->is_available()) {
    response =
        add_refused(ErrorCode::kAppNotExist, fmt::format("app {} was not found", request.app_name));
  } else if (!kept) {
    const auto why = std::move(kept.error()).with_context("keeping the log").to_string();
    context_.log.error(fmt::format("duplication of table {}: {}", request.app_name, why));
    response = add_refused(ErrorCode::kBusy, why);
  } else if (const auto refusal = check_rivals(record)) {  // added meanwhile
    response = add_refused(refusal->code, refusal->hint);
  } else {
    record.confirmed = *std::move(kept);
    if (record.remote_replica_count == 0) record.remote_replica_count = app->info.max_replica_count;
    response = note_new(record) ? added(ErrorCode::kOk, record)
                                : add_refused(ErrorCode::kFileOperationFailed, kNotOnDisk);
  }
  work_.release(app_id);
  one_added_.notify_all();
  work_.follow(app_id, record.id);
  co_return response;
}

Task<std::vector<int64_t>> Duplications::keep_logs(int32_t app_id) {
  std::vector<int64_t> starts(context_.catalog.find_by_id(app_id)->partitions.size());
  const auto keep_one = [&](size_t i) -> Task<> {  // outlives: this frame, until all are kept
    starts[i] =
        CO_TRY(in_context(co_await keep_log(app_id, int32_t(i)), fmt::format("partition {}", i)));
    context_.failpoint("duplication.log_kept");
    co_return Result<void>();
  };
  CO_TRY(co_await async::for_each(starts.size(), kLogsAtOnce, keep_one));
  co_return starts;
}

// A partition of a new table may not be open yet.
Task<int64_t> Duplications::keep_log(int32_t app_id, int32_t partition) {
  const auto end = Deadline::in(context_.clock, kLongestWaitForPartition);
  while (true) {
    const auto* app = context_.catalog.find_by_id(app_id);
    if (!app || !app->is_available()) co_return fail(Code::kNotFound, "the table was dropped");
    auto kept = co_await context_.nodes.keep_log(app->partitions[size_t(partition)].node,
                                                 {app_id, partition});
    const bool is_unserved = !kept && kept.error().code() == Code::kNotFound;
    if (!is_unserved || end.passed(context_.clock) || context_.stopped()) co_return kept;
    co_await context_.clock.sleep_for(kWaitForPartition);  // no result
  }
}

bool Duplications::note_new(const DuplicationRecord& record) {
  auto app = *context_.catalog.find_by_id(record.app_id);
  app.info.__set_duplicating(true);
  MetaBatch batch;
  put_whole_duplication(batch, record);
  const auto doing = fmt::format("adding a duplication of table {}", app.info.app_name);
  if (!context_.catalog.replace(std::move(app), doing, std::move(batch))) return false;
  records_[record.app_id].emplace(record.id, record);
  context_.failpoint("duplication.noted");
  return true;
}

// ---- modify

wire::duplication_modify_response Duplications::modify(
    const wire::duplication_modify_request& request) {
  wire::duplication_modify_response response;
  const auto answer = [&response](ErrorCode code) {
    response.err.code = code;
    return response;
  };
  const auto* app = context_.catalog.find(request.app_name);
  if (!app) return answer(ErrorCode::kAppNotExist);
  const auto app_id = app->info.app_id;
  auto* record = find_duplication(records_, app_id, request.dupid);
  if (!record) return answer(ErrorCode::kObjectNotFound);
  if (work_.is_held(app_id)) return answer(ErrorCode::kBusy);  // another one is being added
  const auto status = request.__isset.status ? request.status : record->status;
  const auto fail_mode = request.__isset.fail_mode ? request.fail_mode : record->fail_mode;
  const bool is_same = status == record->status && fail_mode == record->fail_mode;
  const auto changed = change(*record, status, fail_mode);
  // As recorded: without the id when nothing changes.
  if (changed == ErrorCode::kOk && !is_same) response.appid = app_id;
  return answer(changed);
}

ErrorCode Duplications::change(DuplicationRecord& record, wire::duplication_status status,
                               wire::duplication_fail_mode fail_mode) {
  if (!may_be_requested(record.status, status) || !is_fail_mode(fail_mode))
    return ErrorCode::kInvalidParameters;
  const auto app_id = record.app_id;
  if (status == wire::DS_REMOVED) {
    if (!remove(record)) return ErrorCode::kFileOperationFailed;
  } else {
    auto changed = record;
    changed.status = status;
    changed.fail_mode = fail_mode;
    if (changed == record) return ErrorCode::kOk;
    if (record.status == wire::DS_PAUSE && must_pause(changed)) return ErrorCode::kBusy;
    MetaBatch batch;
    put_duplication(batch, changed);
    if (!context_.save_now(std::move(batch), "changing a duplication"))
      return ErrorCode::kFileOperationFailed;
    record = std::move(changed);
    context_.failpoint("duplication.changed");
  }
  work_.send(app_id);
  return ErrorCode::kOk;
}

bool Duplications::remove(const DuplicationRecord& record) {
  const auto app_id = record.app_id, id = record.id;
  auto& table = records_.at(app_id);
  auto app = *context_.catalog.find_by_id(app_id);
  app.info.__set_duplicating(table.size() > 1);
  MetaBatch batch;
  remove_duplication(batch, record);
  const auto doing = fmt::format("removing a duplication of table {}", app.info.app_name);
  if (!context_.catalog.replace(std::move(app), doing, std::move(batch))) return false;
  table.erase(id);
  if (table.empty()) records_.erase(app_id);
  context_.failpoint("duplication.removed");
  return true;
}

// ---- query, list

wire::duplication_entry Duplications::entry_of(const DuplicationRecord& record) const {
  wire::duplication_entry entry;
  entry.dupid = record.id;
  entry.status = record.status;
  entry.remote = record.remote;
  entry.create_ts = record.create_ms;
  entry.__set_fail_mode(record.fail_mode);
  entry.__set_remote_app_name(record.remote_table);
  entry.__set_remote_replica_count(record.remote_replica_count);
  entry.__isset.partition_states = true;
  for (size_t i = 0; i < record.confirmed.size(); ++i) {
    const auto progress = work_.progress(record, i);
    auto& state = entry.partition_states[int32_t(i)];
    state.confirmed_decree = progress.shipped_decree;
    state.last_committed_decree = progress.last_decree;
    if (!progress.error.empty()) state.__set_error(progress.error);
    if (!progress.waits_for.empty()) state.__set_waits_for(progress.waits_for);
  }
  if (auto why = work_.waits_for(record); !why.empty()) entry.__set_waits_for(std::move(why));
  return entry;
}

wire::duplication_query_response Duplications::query(
    const wire::duplication_query_request& request) const {
  wire::duplication_query_response response;
  const auto* app = context_.catalog.find(request.app_name);
  if (!app) {
    response.err.code = ErrorCode::kAppNotExist;
    return response;
  }
  response.appid = app->info.app_id;
  if (const auto table = records_.find(response.appid); table != records_.end())
    for (const auto& [id, record] : table->second) response.entry_list.push_back(entry_of(record));
  return response;
}

wire::duplication_list_response Duplications::list(
    const wire::duplication_list_request& request) const {
  std::vector<const wire::app_info*> tables;
  for (const auto& [id, app] : context_.catalog.apps()) tables.push_back(&app.info);
  wire::configuration_list_apps_request wanted;
  wanted.status = wire::AS_AVAILABLE;
  wanted.__set_app_name_pattern(request.app_name_pattern);
  wanted.__set_match_type(request.match_type);
  const auto found = meta_view::list_apps(wanted, tables);
  wire::duplication_list_response response;
  response.err = found.err;
  response.hint_message = found.hint_message;
  for (const auto& info : found.infos) {
    auto& state = response.app_states[info.app_name];
    state.appid = info.app_id;
    state.app_name = info.app_name;
    state.partition_count = info.partition_count;
    if (const auto table = records_.find(info.app_id); table != records_.end())
      for (const auto& [id, record] : table->second) state.duplications[id] = entry_of(record);
  }
  return response;
}

}  // namespace pegmove::server::meta
