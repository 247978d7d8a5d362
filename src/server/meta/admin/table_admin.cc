#include "server/meta/admin/table_admin.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/table_name.h"
#include "meta_types.h"
#include "server/meta/catalog/app_env_update.h"
#include "server/meta/catalog/catalog_json.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;

constexpr const char* kFrozen =
    "current meta function level is freezed, since there are too few alive nodes";
constexpr const char* kNotWritten =
    "the change could not be written; the log of the meta server says why";

// A response that has the field hint_message.
template <typename Response>
Response refusal(ErrorCode code, std::string hint) {
  Response response;
  response.err.code = code;
  response.hint_message = std::move(hint);
  return response;
}

std::string no_such_app(const std::string& name) {
  return fmt::format("app({}) does not exist", name);
}

std::string to_text(int64_t number) { return std::to_string(number); }

// The two kinds of requests about compactions use another text and another field.
template <typename Response>
Response compact_refusal(ErrorCode code, std::string hint) {
  Response response;
  response.err.code = code;
  response.hint_msg = std::move(hint);
  return response;
}

bool waits_for_load_behind(const std::map<std::string, std::string>& envs) {
  const auto is = [&envs](const char* name, std::string_view value) {
    const auto found = envs.find(name);
    return found != envs.end() && found->second == value;
  };
  return is("rocksdb.allow_ingest_behind", "true") && is("rocksdb.usage_scenario", "bulk_load");
}

}  // namespace

bool is_reservation_over(const AppRecord& app, int64_t now_unix) {
  return app.info.expire_second <= now_unix;
}

wire::configuration_recall_app_response recall_app(
    AppCatalog& catalog, const wire::configuration_recall_app_request& request, int64_t now_unix,
    MetaBatch also) {
  wire::configuration_recall_app_response response;
  const AppRecord* found = catalog.find_by_id(request.app_id);
  if (!found) {
    response.err.code = ErrorCode::kAppNotExist;
    return response;
  }
  if (found->is_available()) {
    response.err.code = ErrorCode::kAppExist;
    return response;
  }
  if (is_reservation_over(*found, now_unix)) {
    response.err.code = ErrorCode::kAppNotExist;
    return response;
  }
  AppRecord app = *found;
  const bool has_new_name = !request.new_app_name.empty();
  if (has_new_name) app.info.app_name = request.new_app_name;
  if ((has_new_name && !base::check_table_name(request.new_app_name)) ||
      catalog.find(app.info.app_name)) {
    response.err.code = ErrorCode::kInvalidParameters;
    return response;
  }
  app.info.status = wire::app_status::AS_AVAILABLE;
  // The drop's times stay in the table's record, as in Pegasus.
  response.info = app.info;
  if (!catalog.replace(std::move(app), "recalling table " + to_text(request.app_id),
                       std::move(also))) {
    response = {};
    response.err.code = ErrorCode::kFileOperationFailed;
  }
  return response;
}

wire::configuration_rename_app_response rename_app(
    AppCatalog& catalog, const wire::configuration_rename_app_request& request) {
  using Response = wire::configuration_rename_app_response;
  const std::string& old_name = request.old_app_name;
  const std::string& new_name = request.new_app_name;
  const AppRecord* found = catalog.find(old_name);
  if (!found) {
    return refusal<Response>(ErrorCode::kAppNotExist,
                             fmt::format("ERROR: app({}) not exist!", old_name));
  }
  if (catalog.find(new_name)) {
    return refusal<Response>(ErrorCode::kInvalidParameters,
                             fmt::format("ERROR: app({}) already exist!", new_name));
  }
  if (auto good = base::check_table_name(new_name); !good) {
    return refusal<Response>(ErrorCode::kInvalidParameters, good.error().message());
  }
  AppRecord app = *found;
  app.info.app_name = new_name;
  if (!catalog.replace(std::move(app), "renaming the table " + base::printable(old_name))) {
    return refusal<Response>(ErrorCode::kFileOperationFailed, kNotWritten);
  }
  return {};
}

wire::configuration_get_max_replica_count_response max_replica_count(
    const AppCatalog& catalog, const wire::configuration_get_max_replica_count_request& request) {
  wire::configuration_get_max_replica_count_response response;
  const AppRecord* app = catalog.find(request.app_name);
  if (!app) {
    return refusal<decltype(response)>(ErrorCode::kAppNotExist, no_such_app(request.app_name));
  }
  response.max_replica_count = app->info.max_replica_count;
  return response;
}

wire::configuration_set_max_replica_count_response set_max_replica_count(
    AppCatalog& catalog, const wire::configuration_set_max_replica_count_request& request) {
  using Response = wire::configuration_set_max_replica_count_response;
  const AppRecord* found = catalog.find(request.app_name);
  if (!found) return refusal<Response>(ErrorCode::kAppNotExist, no_such_app(request.app_name));

  const auto answer = [old = found->info.max_replica_count](ErrorCode code, std::string hint) {
    auto response = refusal<Response>(code, std::move(hint));
    response.old_max_replica_count = old;
    return response;
  };
  const int32_t count = request.max_replica_count;
  if (catalog.is_frozen()) return answer(ErrorCode::kStateFreezed, kFrozen);
  if (auto good = check_replica_count(count, catalog.node_count()); !good)
    return answer(ErrorCode::kInvalidParameters, good.error().message());
  if (count == found->info.max_replica_count)
    return answer(ErrorCode::kOk, "no need to update max_replica_count since it's not changed");
  AppRecord app = *found;
  app.info.max_replica_count = count;
  const auto doing = "changing the replica count of " + base::printable(request.app_name);
  if (!catalog.replace(std::move(app), doing))
    return answer(ErrorCode::kFileOperationFailed, kNotWritten);
  return answer(ErrorCode::kOk, "");
}

wire::configuration_get_atomic_idempotent_response atomic_idempotent(
    const AppCatalog& catalog, const wire::configuration_get_atomic_idempotent_request& request) {
  wire::configuration_get_atomic_idempotent_response response;
  const AppRecord* app = catalog.find(request.app_name);
  if (!app) {
    return refusal<decltype(response)>(ErrorCode::kAppNotExist, no_such_app(request.app_name));
  }
  response.atomic_idempotent = app->info.atomic_idempotent;
  return response;
}

wire::configuration_set_atomic_idempotent_response set_atomic_idempotent(
    AppCatalog& catalog, const wire::configuration_set_atomic_idempotent_request& request) {
  using Response = wire::configuration_set_atomic_idempotent_response;
  const AppRecord* found = catalog.find(request.app_name);
  if (!found) return refusal<Response>(ErrorCode::kAppNotExist, no_such_app(request.app_name));

  const auto answer = [old = found->info.atomic_idempotent](ErrorCode code, std::string hint) {
    auto response = refusal<Response>(code, std::move(hint));
    response.old_atomic_idempotent = old;
    return response;
  };
  if (catalog.is_frozen()) return answer(ErrorCode::kStateFreezed, kFrozen);
  if (request.atomic_idempotent == found->info.atomic_idempotent) {
    return answer(ErrorCode::kOk, "no need to update atomic_idempotent since it's unchanged");
  }
  AppRecord app = *found;
  app.info.__set_atomic_idempotent(request.atomic_idempotent);
  const auto doing = "changing atomic_idempotent of " + base::printable(request.app_name);
  if (!catalog.replace(std::move(app), doing)) {
    return answer(ErrorCode::kFileOperationFailed, kNotWritten);
  }
  return answer(ErrorCode::kOk, "");
}

wire::configuration_meta_control_response control_level(
    AppCatalog& catalog, const wire::configuration_meta_control_request& request) {
  wire::configuration_meta_control_response response;
  response.old_level = catalog.level();
  if (request.level == wire::meta_function_level::fl_invalid) return response;
  if (level_name(request.level).empty()) {
    response.err.code = ErrorCode::kInvalidParameters;
  } else if (!catalog.set_level(request.level)) {
    response.err.code = ErrorCode::kFileOperationFailed;
  }
  return response;
}

wire::start_app_manual_compact_response start_manual_compact(
    AppCatalog& catalog, const wire::start_app_manual_compact_request& request, int64_t now_unix) {
  const auto answer = compact_refusal<wire::start_app_manual_compact_response>;
  const AppRecord* found = catalog.find(request.app_name);
  if (!found) {
    return answer(ErrorCode::kAppNotExist, fmt::format("app {} is not existed", request.app_name));
  }
  const auto disabled = found->info.envs.find("manual_compact.disabled");
  if (disabled != found->info.envs.end() && disabled->second == "true") {
    return answer(ErrorCode::kOperationDisabled,
                  fmt::format("app {} disable manual compaction", request.app_name));
  }
  if (waits_for_load_behind(found->info.envs)) {
    return answer(
        ErrorCode::kOperationDisabled,
        fmt::format("app {} waits for a load behind its rows (rocksdb.usage_scenario=bulk_load): "
                    "after a compaction that load would bring back rows that clients deleted",
                    request.app_name));
  }
  const int32_t target_level = request.__isset.target_level ? request.target_level : -1;
  if (target_level < -1) {
    return answer(
        ErrorCode::kInvalidParameters,
        fmt::format("invalid target_level({}), should in range of [-1, num_levels]", target_level));
  }
  const int32_t running = request.__isset.max_running_count ? request.max_running_count : 0;
  if (running < 0) {
    return answer(ErrorCode::kInvalidParameters,
                  fmt::format("invalid max_running_count({}), should be greater than 0", running));
  }
  const bool is_forced = request.__isset.bottommost && request.bottommost;
  const int64_t trigger_time = request.__isset.trigger_time ? request.trigger_time : now_unix;

  AppRecord app = *found;
  auto& envs = app.info.envs;
  envs["manual_compact.once.target_level"] = to_text(target_level);
  if (running > 0) envs["manual_compact.max_concurrent_running_count"] = to_text(running);
  envs["manual_compact.once.bottommost_level_compaction"] = is_forced ? "force" : "skip";
  envs["manual_compact.once.trigger_time"] = to_text(trigger_time);
  const auto doing = "starting a compaction of " + base::printable(request.app_name);
  if (!catalog.replace(std::move(app), doing)) {
    return answer(ErrorCode::kFileOperationFailed, kNotWritten);
  }
  return answer(ErrorCode::kOk, "succeed");
}

wire::query_app_manual_compact_response query_manual_compact(
    const AppCatalog& catalog, const wire::query_app_manual_compact_request& request,
    const std::function<wire::CompactionStatus(const AppRecord&, int32_t index)>& status_of) {
  const auto answer = compact_refusal<wire::query_app_manual_compact_response>;
  const AppRecord* app = catalog.find(request.app_name);
  if (!app) {
    return answer(ErrorCode::kAppNotExist, fmt::format("app {} is not existed", request.app_name));
  }
  int32_t idle = 0, finished = 0;
  const auto count = static_cast<int32_t>(app->partitions.size());
  for (int32_t index = 0; index < count; ++index) {
    const auto status = status_of(*app, index);
    if (status == wire::CompactionStatus::kIdle) ++idle;
    if (status == wire::CompactionStatus::kFinished) ++finished;
  }
  if (idle == count) {
    return answer(ErrorCode::kInvalidState,
                  fmt::format("app {} is not manual compaction", request.app_name));
  }
  auto response = answer(ErrorCode::kOk, "succeed");
  response.__set_progress(finished * 100 / count);
  return response;
}

}  // namespace pegmove::server::meta
