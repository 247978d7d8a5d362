#include "server/meta/load/bulk_loads.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "bulk_load_types.h"
#include "bulkload/reader.h"
#include "meta_types.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;

constexpr int32_t kPercent = 100;  // progress in percent

std::string app_text(const std::string& table) { return "app(" + table + ")"; }

std::string status_text(wire::bulk_load_status status) {
  return "bulk_load_status::" + std::string(status_name(status));
}

}  // namespace

void BulkLoads::resume() {
  for (auto& [app_id, record] : records_) {
    if (record.is_over) continue;
    if (is_final(record.status)) {
      work_.clean_up(app_id);
    } else if (record.status == wire::BLS_PAUSING) {
      record.status = wire::BLS_PAUSED;
      record.reason.clear();
      MetaBatch batch;
      put_load(batch, record);
      context_.save_soon(std::move(batch));
    } else if (record.status != wire::BLS_PAUSED) {
      record.reason.clear();  // what it waited for may be available now
      work_.start(app_id);
    }
  }
}

void BulkLoads::table_dropped(int32_t app_id) {
  auto* record = find_load(records_, app_id);
  if (!record || is_final(record->status)) return;  // it is being cleaned up, or done
  record->status = wire::BLS_CANCELED;
  record->reason = "the table was dropped";
  MetaBatch batch;
  put_load(batch, *record);
  context_.save_now(std::move(batch), "ending a bulk load");
  if (!work_.cancel(app_id)) work_.clean_up(app_id);
}

std::optional<BulkLoads::Refusal> BulkLoads::check_table(const std::string& table,
                                                         std::string_view missing,
                                                         std::string_view dropped) const {
  if (context_.catalog.find(table)) return std::nullopt;
  for (const auto& [id, app] : context_.catalog.apps())
    if (app.info.app_name == table) return Refusal{ErrorCode::kAppDropped, std::string(dropped)};
  return Refusal{ErrorCode::kAppNotExist, std::string(missing)};
}

std::optional<BulkLoads::Refusal> BulkLoads::check_available(const std::string& table) const {
  const auto hint = app_text(table) + " is not existed or not available";
  return check_table(table, hint, hint);
}

std::optional<BulkLoads::Refusal> BulkLoads::check_start(
    const wire::start_bulk_load_request& request) const {
  if (context_.catalog.is_frozen())
    return Refusal{ErrorCode::kStateFreezed, "the cluster is frozen"};
  const auto* app = context_.catalog.find(request.app_name);
  const auto is_under_way = [&](const auto& each) { return !each.second.is_over; };
  const bool is_loading = app && app->info.is_bulk_loading;
  if (!is_loading && !limits_.several_at_once() && std::ranges::any_of(records_, is_under_way))
    return Refusal{ErrorCode::kBusy, "meta server is busy now, please wait"};
  // The hints end like this: Pegasus leaves the name out.
  if (auto refusal = check_table(request.app_name, "app not existed is ", "app not available is "))
    return refusal;
  if (is_loading)
    return Refusal{ErrorCode::kBusy,
                   app_text(request.app_name) + " is already executing bulk load"};
  const auto behind = app->info.envs.find("rocksdb.allow_ingest_behind");
  if (request.ingest_behind && (behind == app->info.envs.end() || behind->second != "true"))
    return Refusal{ErrorCode::kInconsistentState, "inconsistent ingestion behind option"};
  return std::nullopt;
}

Routine<wire::start_bulk_load_response> BulkLoads::start(wire::start_bulk_load_request request) {
  const auto refuse = [](ErrorCode code, std::string hint) {
    wire::start_bulk_load_response response;
    response.err.code = code;
    response.hint_msg = std::move(hint);
    return response;
  };
  if (auto refusal = check_start(request)) co_return refuse(refusal->code, refusal->hint);
  auto store = context_.store(request.file_provider_type, BackupContext::Patience::kNone);
  if (!store) co_return refuse(ErrorCode::kInvalidParameters, "invalid file_provider");
  auto place = bulkload::place_of(request.remote_root_path, request.cluster_name, request.app_name);
  if (!place) co_return refuse(ErrorCode::kInvalidParameters, place.error().message());
  auto info = co_await bulkload::read_info(*store, *place);
  if (!info) {
    context_.log.warning(fmt::format("loading {}: {}", request.app_name, info.error().to_string()));
    const bool is_damaged = info.error().code() == Code::kCorrupt;
    co_return refuse(wire_code_of(info.error()),
                     is_damaged ? "bulk_load_info damaged" : "read bulk_load_info failed");
  }
  // Another request may have started one meanwhile.
  if (auto refusal = check_start(request)) co_return refuse(refusal->code, refusal->hint);
  const auto* app = context_.catalog.find(request.app_name);
  if (info->app_id != app->info.app_id || info->partition_count != app->info.partition_count)
    co_return refuse(ErrorCode::kInconsistentState, "app_id or partition_count is inconsistent");
  if (auto noted = note(request, *std::move(place)); !noted)
    co_return refuse(ErrorCode::kFileOperationFailed, noted.error().message());
  co_return refuse(ErrorCode::kOk, "");
}

// As in Pegasus, this stops the cluster from moving partitions, permanently.
Result<void> BulkLoads::note(const wire::start_bulk_load_request& request, bulkload::Place place) {
  const auto& info = context_.catalog.find(request.app_name)->info;
  const auto app_id = info.app_id;
  LoadRecord record{.app_id = app_id,
                    .table = request.app_name,
                    .provider = request.file_provider_type,
                    .place = std::move(place),
                    .behind = request.ingest_behind,
                    .load = context_.now_ms(),
                    .partitions = std::vector(size_t(info.partition_count), wire::BLS_DOWNLOADING)};
  AppCatalog::Change change;
  if (context_.catalog.level() > wire::fl_steady) change.level = wire::fl_steady;
  if (auto table = table_with_loading(context_.catalog, app_id, true))
    change.apps.push_back(*std::move(table));
  put_whole_load(change.also, record);
  auto noted = context_.catalog.commit(std::move(change));
  if (!noted) {
    context_.log.error(std::move(noted.error()).with_context("recording a bulk load").to_string());
    return fail(Code::kIo, "the bulk load could not be recorded on the meta server's disk");
  }
  records_[app_id] = std::move(record);
  context_.failpoint("load.noted");
  work_.start(app_id);
  return {};
}

wire::control_bulk_load_response BulkLoads::control(
    const wire::control_bulk_load_request& request) {
  wire::control_bulk_load_response response;
  const auto answer = [&](ErrorCode code, const std::string& hint) {
    response.err.code = code;
    response.__set_hint_msg(hint);
    return response;
  };
  const auto name = app_text(request.app_name);
  if (auto refusal = check_available(request.app_name)) return answer(refusal->code, refusal->hint);
  const auto app_id = context_.catalog.find(request.app_name)->info.app_id;
  auto* record = find_load(records_, app_id);
  if (!record || record->is_over)
    return answer(ErrorCode::kInactiveState, name + " is not executing bulk load");
  const auto status = record->status;
  auto changed = *record;
  const auto refuse = [&](const char* verb) {
    return answer(ErrorCode::kInvalidState,
                  fmt::format("can not {} bulk load for {} with status({})", verb, name,
                              status_text(status)));
  };
  switch (request.type) {
    case wire::BLC_PAUSE:
      if (status != wire::BLS_DOWNLOADING) return refuse("pause");
      changed.status = wire::BLS_PAUSING;
      break;
    case wire::BLC_RESTART:
      if (status != wire::BLS_PAUSED) return refuse("restart");
      changed.status = wire::BLS_DOWNLOADING;
      for (auto& partition : changed.partitions)
        if (partition != wire::BLS_DOWNLOADED) partition = wire::BLS_DOWNLOADING;
      break;
    case wire::BLC_CANCEL:
      if (status != wire::BLS_DOWNLOADING && status != wire::BLS_PAUSED) return refuse("cancel");
      changed.status = wire::BLS_CANCELED;
      break;
    case wire::BLC_FORCE_CANCEL:
      // Never refused, as in Pegasus; a load that has ended stays as it is.
      if (is_final(status)) return answer(ErrorCode::kOk, "");
      changed.status = wire::BLS_CANCELED;
      break;
    default: return answer(ErrorCode::kInvalidParameters, "unknown control type");
  }
  if (changed.status == wire::BLS_CANCELED) changed.reason = "cancelled";
  MetaBatch batch;
  put_whole_load(batch, changed);
  if (!context_.save_now(std::move(batch), "changing the state of a bulk load"))
    return answer(ErrorCode::kFileOperationFailed, "it could not be noted");
  *record = std::move(changed);
  if (record->status == wire::BLS_DOWNLOADING)
    work_.start(app_id);
  else if (!work_.cancel(app_id))
    work_.clean_up(app_id);
  return answer(ErrorCode::kOk, "");
}

wire::partition_bulk_load_state BulkLoads::state_of(const LoadRecord& record,
                                                    size_t partition) const {
  wire::partition_bulk_load_state state;
  const auto status = record.partitions[partition];
  int32_t percent = status == wire::BLS_DOWNLOADING || status == wire::BLS_PAUSED ? 0 : kPercent;
  if (const auto* active = work_.progress(record.app_id);
      active && status == wire::BLS_DOWNLOADING) {
    const auto& progress = *(*active)[partition];
    const auto all = progress.all_bytes.load();
    if (all > 0) percent = int32_t(double(progress.done_bytes) / double(all) * (kPercent - 1));
  }
  state.__set_download_progress(percent);
  wire::error_code download;
  if (status == wire::BLS_FAILED && record.error != ErrorCode::kIngestionFailed)
    download.code = record.error;
  state.__set_download_status(download);
  state.__set_ingest_status(status == wire::BLS_INGESTING                 ? wire::IS_RUNNING
                            : status == wire::BLS_SUCCEED                 ? wire::IS_SUCCEED
                            : record.error == ErrorCode::kIngestionFailed ? wire::IS_FAILED
                                                                          : wire::IS_INVALID);
  state.__set_is_cleaned_up(record.is_over);
  state.__set_is_paused(status == wire::BLS_PAUSED);
  return state;
}

wire::query_bulk_load_response BulkLoads::query(const wire::query_bulk_load_request& request,
                                                meta_view::HostPorts host_ports) const {
  wire::query_bulk_load_response response;
  response.app_name = request.app_name;
  response.app_status = wire::BLS_INVALID;
  const auto name = app_text(request.app_name);
  if (auto refusal = check_available(request.app_name)) {
    response.err.code = refusal->code;
    response.__set_hint_msg(refusal->hint);
    return response;
  }
  const auto& app = *context_.catalog.find(request.app_name);
  const auto* record = find_load(records_, app.info.app_id);
  response.max_replica_count = app.info.max_replica_count;
  response.__set_is_bulk_loading(record && !record->is_over);
  if (!response.is_bulk_loading)
    response.__set_hint_msg(name + " is not during bulk load, return last time result");
  if (!record) {  // as in Pegasus
    const auto count = size_t(app.info.partition_count);
    response.partitions_status.assign(count, wire::BLS_INVALID);
    response.bulk_load_states.resize(count);
    return response;
  }
  if (!response.is_bulk_loading && record->status == wire::BLS_FAILED)
    response.err.code = record->error;
  if (!record->reason.empty())
    response.__set_hint_msg(response.hint_msg + (response.hint_msg.empty() ? "" : ": ") +
                            record->reason);
  response.app_status = record->status;
  response.partitions_status = record->partitions;
  const auto addresses = context_.nodes.addresses();
  for (size_t i = 0; i < record->partitions.size(); ++i) {
    // The replicas have the same data: they are all as far.
    auto nodes = context_.catalog.secondaries_of(app, i);
    nodes.push_back(app.partitions[i].node);
    const auto state = state_of(*record, i);
    auto& states = response.bulk_load_states.emplace_back();
    for (const auto node : nodes) states[addresses[size_t(node)].address] = state;
    if (host_ports == meta_view::HostPorts::kInclude) {
      auto& named = response.hp_bulk_load_states.emplace_back();
      for (const auto node : nodes) named[addresses[size_t(node)].host_port] = state;
      response.__isset.hp_bulk_load_states = true;
    }
  }
  return response;
}

wire::clear_bulk_load_state_response BulkLoads::clear(
    const wire::clear_bulk_load_state_request& request) {
  wire::clear_bulk_load_state_response response;
  const auto answer = [&](ErrorCode code, const std::string& hint) {
    response.err.code = code;
    response.hint_msg = hint;
    return response;
  };
  const auto name = app_text(request.app_name);
  if (auto refusal = check_available(request.app_name)) return answer(refusal->code, refusal->hint);
  const auto app_id = context_.catalog.find(request.app_name)->info.app_id;
  const auto* record = find_load(records_, app_id);
  if (record && !record->is_over)
    return answer(ErrorCode::kInvalidState, name + " is executing bulk load");
  MetaBatch batch;
  remove_load(batch, app_id);
  if (!context_.save_now(std::move(batch), "removing the record of a bulk load"))
    return answer(ErrorCode::kFileOperationFailed, "it could not be noted");
  records_.erase(app_id);
  return answer(
      ErrorCode::kOk,
      fmt::format("clear {} bulk load result succeed, remove bulk load dir succeed", name));
}

std::string BulkLoads::status(int32_t app_id) const {
  auto out = nlohmann::ordered_json::array();
  for (const auto& [id, record] : records_) {
    if (app_id != 0 && id != app_id) continue;
    nlohmann::ordered_json load{{"app_id", id},
                                {"table", record.table},
                                {"provider", record.provider},
                                {"folder", record.place.table_folder()},
                                {"ingest_behind", record.behind},
                                {"status", status_name(record.status)},
                                {"is_over", record.is_over},
                                {"reason", record.reason},
                                {"writes_held_us", record.writes_held_us},
                                {"start_ms", record.load},
                                {"end_ms", record.end_ms}};
    if (const auto* active = work_.progress(id)) {
      int64_t done = 0, all = 0;
      for (const auto& progress : *active) {
        done += progress->done_bytes;
        all += progress->all_bytes;
      }
      load["done_bytes"] = done;
      load["all_bytes"] = all;
    }
    out.push_back(std::move(load));
  }
  return base::json_text(out, 2, base::NoUtf8::kReplace);
}

}  // namespace pegmove::server::meta
