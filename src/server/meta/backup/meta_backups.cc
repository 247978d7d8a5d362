// Requests about backups and restores: dispatches RPCs, HTTP requests and remote commands.
#include <fmt/format.h>

#include <charconv>

#include "backup_types.h"
#include "meta_types.h"
#include "server/meta/meta_service.h"
#include "service/table_json.h"

namespace pegmove::server::meta {
namespace {

using service::HttpQuery;
using wire::ErrorCode;
using wire::RpcCode;
using Arguments = service::RemoteCommands::Arguments;

std::optional<int64_t> parse_number(const std::string& text) {
  int64_t number = 0;
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc() || stop != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace

// Answers like real servers on which backups are disabled.
bool MetaService::backups_are_served(net::IncomingCall& call) const {
  if (!options_.backups.providers.empty()) return true;
  call.reply(ErrorCode::kServiceNotActive);
  return false;
}

template <typename Request, typename Response>
Routine<> MetaService::answer(net::IncomingCall call, Request request,
                              std::function<Routine<Response>(Request)> handler) {
  call.reply(ErrorCode::kOk, wire::encode_body(co_await handler(std::move(request))));
}

template <typename Request, typename Response>
void MetaService::on_routine(RpcCode code, std::function<Routine<Response>(Request)> handler) {
  dispatcher_.on(code, [this, code, handler](net::IncomingCall call) {
    auto request = wire::decode_body<Request>(call.body());
    if (!request) return call.reply(ErrorCode::kInvalidParameters);
    // A restore without a configured store has its own refusal, as in Pegasus.
    if (code != RpcCode::kStartRestore && !backups_are_served(call)) return;
    tasks_.spawn(answer<Request, Response>(std::move(call), std::move(*request), handler));
  });
}

void MetaService::register_backup_handlers() {
  using namespace wire;
  on_routine<start_backup_app_request, start_backup_app_response>(
      RpcCode::kStartBackupApp,
      [this](start_backup_app_request request) { return backup_jobs_.start(std::move(request)); });
  on_routine<configuration_restore_request, configuration_create_app_response>(
      RpcCode::kStartRestore, [this](configuration_restore_request request) {
        return restores_.start(std::move(request));
      });
  const auto on = [this](RpcCode code, auto request_type, auto handler) {
    using Request = decltype(request_type)::type;
    dispatcher_.on(code, [this, handler](net::IncomingCall call) {
      auto request = wire::decode_body<Request>(call.body());
      if (!request) return call.reply(ErrorCode::kInvalidParameters);
      if (backups_are_served(call))
        call.reply(ErrorCode::kOk, wire::encode_body(handler(*request)));
    });
  };
  on(RpcCode::kQueryBackupStatus, std::type_identity<query_backup_status_request>(),
     [this](const auto& request) { return backup_jobs_.query(request); });
  on(RpcCode::kAddBackupPolicy, std::type_identity<configuration_add_backup_policy_request>(),
     [this](const auto& request) { return backup_policies_.add(request); });
  on(RpcCode::kModifyBackupPolicy, std::type_identity<configuration_modify_backup_policy_request>(),
     [this](const auto& request) { return backup_policies_.modify(request); });
  on(RpcCode::kQueryBackupPolicy, std::type_identity<configuration_query_backup_policy_request>(),
     [this](const auto& request) { return backup_policies_.query(request); });
  dispatcher_.on_message<configuration_query_restore_request, configuration_query_restore_response>(
      RpcCode::kQueryRestoreStatus,
      [this](const auto& request, const auto&) { return restores_.query(request); });
}

Restores::Host MetaService::restore_host() {
  return {.open = [this](const AppRecord& app, int32_t partition,
                         bool may_be_new) { return host_one(app, partition, may_be_new); },
          .discard = [this](const AppRecord& app,
                            int32_t partition) { return release_one(app, partition, true); },
          .dropped = [this](int32_t app_id) { table_dropped(app_id); }};
}

void MetaService::table_dropped(int32_t app_id) {
  backup_jobs_.cancel(app_id, 0, "the table was dropped");
  restores_.table_dropped(app_id);
  loads_.table_dropped(app_id);
  followers_.table_dropped(app_id);
  tasks_.spawn(apply_catalog(app_id));
}

// Own commands: real servers do not have them.
void MetaService::register_backup_commands() {
  auto& commands = operations_.commands;
  const auto id_of = [](Arguments arguments, size_t at) -> std::optional<int64_t> {
    if (arguments.size() <= at) return 0;
    return parse_number(arguments[at]);
  };
  commands.on({"backup.cancel"}, "End the running backups of a table, or one of them",
              "<app_id> [backup_id]", [this, id_of](Arguments arguments) -> std::string {
                const auto app_id = id_of(arguments, 0), backup_id = id_of(arguments, 1);
                if (arguments.empty() || arguments.size() > 2 || !app_id || !backup_id)
                  return "ERR: invalid arguments, app_id [backup_id] are expected";
                const auto count = backup_jobs_.cancel(int32_t(*app_id), *backup_id, "cancelled");
                return fmt::format("OK, {} cancelled", count);
              });
  commands.on({"backup.status"}, "Show the backups of all tables, or of one, as JSON", "[app_id]",
              [this, id_of](Arguments arguments) -> std::string {
                const auto app_id = id_of(arguments, 0);
                if (arguments.size() > 1 || !app_id) return "ERR: invalid arguments";
                return backup_jobs_.status(int32_t(*app_id));
              });
  commands.on({"restore.status"}, "Show the restores of all tables, or of one, as JSON", "[app_id]",
              [this, id_of](Arguments arguments) -> std::string {
                const auto app_id = id_of(arguments, 0);
                if (arguments.size() > 1 || !app_id) return "ERR: invalid arguments";
                return restores_.status(int32_t(*app_id));
              });
}

net::HttpReply MetaService::http_backup_policy(const HttpQuery& query) const {
  if (options_.backups.providers.empty()) return service::not_found("cold_backup_disabled");
  for (const auto& [name, value] : query.arguments)
    if (name != "name") return service::bad_request("Invalid parameter");
  wire::configuration_query_backup_policy_request request;
  request.backup_info_count = 0;
  if (const auto& name = query.argument("name"); !name.empty())
    request.policy_names.push_back(name);
  const auto found = backup_policies_.query(request);
  service::TableJson json;
  for (const auto& policy : found.policys) {
    std::string ids;
    for (const auto id : policy.app_ids) ids += (ids.empty() ? "" : ",") + std::to_string(id);
    json.row({"name", "backup_provider_type", "backup_interval", "app_ids", "start_time", "status",
              "backup_history_count"},
             {policy.policy_name, policy.backup_provider_type, policy.backup_interval_seconds,
              "[" + ids + "]", policy.start_time, policy.is_disable ? "disabled" : "enabled",
              std::to_string(policy.backup_history_count_to_keep)});
  }
  return {.body = std::move(json).take()};
}

}  // namespace pegmove::server::meta
