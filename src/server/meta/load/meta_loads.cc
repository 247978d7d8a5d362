// Requests about bulk loads: dispatches RPCs, HTTP requests and remote commands.
#include <algorithm>
#include <charconv>

#include "bulk_load_types.h"
#include "meta_types.h"
#include "server/meta/admin/http_body.h"
#include "server/meta/meta_service.h"
#include "service/table_json.h"

namespace pegmove::server::meta {

using service::HttpQuery;
using wire::RpcCode;
using Arguments = service::RemoteCommands::Arguments;

void MetaService::register_load_handlers() {
  using namespace wire;
  dispatcher_.on(RpcCode::kStartBulkLoad, [this](net::IncomingCall call) {
    auto request = decode_body<start_bulk_load_request>(call.body());
    if (!request) return call.reply(ErrorCode::kInvalidParameters);
    tasks_.spawn(start_load(std::move(call), std::move(*request)));
  });
  dispatcher_.on_message<control_bulk_load_request, control_bulk_load_response>(
      RpcCode::kControlBulkLoad,
      [this](const auto& request, const auto&) { return loads_.control(request); });
  dispatcher_.on_message<query_bulk_load_request, query_bulk_load_response>(
      RpcCode::kQueryBulkLoadStatus, [this](const auto& request, const auto& head) {
        return loads_.query(request, meta_view::host_ports_for(head));
      });
  dispatcher_.on_message<clear_bulk_load_state_request, clear_bulk_load_state_response>(
      RpcCode::kClearBulkLoad,
      [this](const auto& request, const auto&) { return loads_.clear(request); });
}

Routine<> MetaService::start_load(net::IncomingCall call, wire::start_bulk_load_request request) {
  call.reply(wire::ErrorCode::kOk, wire::encode_body(co_await loads_.start(std::move(request))));
}

// Of a node with one disk. Pegasus: ingestion_context in
// src/meta/meta_bulk_load_ingestion_context.cpp.
int64_t MetaService::ingestions_of_a_node() const {
  const auto most = operations_.settings.integer("bulk_load_node_max_ingesting_count");
  const auto disks =
      std::max<int64_t>(1, operations_.settings.integer("bulk_load_node_min_disk_count"));
  return std::max<int64_t>(1, (most + disks - 1) / disks);
}

// Own command: real servers do not have it.
void MetaService::register_load_commands() {
  operations_.commands.on(
      {"bulk_load.status"}, "Show the last bulk loads of all tables, or of one, as JSON",
      "[app_id]", [this](Arguments arguments) -> std::string {
        int32_t app_id = 0;
        if (arguments.size() > 1) return "ERR: invalid arguments";
        if (arguments.size() == 1) {
          const auto& text = arguments[0];
          const auto [stop, failed] =
              std::from_chars(text.data(), text.data() + text.size(), app_id);
          if (failed != std::errc() || stop != text.data() + text.size() || app_id <= 0)
            return "ERR: invalid arguments, [app_id] is expected";
        }
        return loads_.status(app_id);
      });
}

namespace {

// `ingest_behind`, which Pegasus does not read, is optional.
Result<wire::start_bulk_load_request> read_start(const base::JsonFields& in) {
  wire::start_bulk_load_request request;
  request.app_name = TRY(in.text("app_name"));
  request.cluster_name = TRY(in.text("cluster_name"));
  request.file_provider_type = TRY(in.text("file_provider_type"));
  request.remote_root_path = TRY(in.text("remote_root_path"));
  request.ingest_behind = TRY(in.boolean("ingest_behind", false));
  return request;
}

// Pegasus: meta_http_service::start_bulk_load_handler. Errors: the texts of the answers.
Result<wire::start_bulk_load_request> parse_start(const std::string& body) {
  auto request = TRY(read_body(body, read_start));
  for (const auto& [name, value] : {std::pair("app_name", &request.app_name),
                                    {"cluster_name", &request.cluster_name},
                                    {"file_provider_type", &request.file_provider_type},
                                    {"remote_root_path", &request.remote_root_path}})
    if (value->empty())
      return fail(Code::kInvalidArgument, std::string(name) + " should not be empty");
  return request;
}

}  // namespace

Routine<> MetaService::http_start_bulk_load(HttpQuery query, net::IncomingHttp http) {
  auto request = parse_start(query.body);
  if (!request) co_return http.reply(service::bad_request(request.error().message()));
  const auto response = co_await loads_.start(*std::move(request));
  service::TableJson json;
  json.value("error", wire::error_name(response.err.code)).value("hint_msg", response.hint_msg);
  http.reply({.body = std::move(json).take()});
}

net::HttpReply MetaService::http_query_bulk_load(const HttpQuery& query) const {
  const auto& name = query.argument("name");
  if (name.empty() || query.arguments.size() != 1) return service::bad_request("name is missing");
  wire::query_bulk_load_request request;
  request.app_name = name;
  const auto response = loads_.query(request, HostPorts::kOmit);
  service::TableJson json;
  json.value("error", wire::error_name(response.err.code))
      .value("app_status", "bulk_load_status::" + std::string(status_name(response.app_status)));
  return {.body = std::move(json).take()};
}

}  // namespace pegmove::server::meta
