// Requests about duplications: dispatches RPCs and HTTP requests.
#include "meta_types.h"
#include "server/meta/duplication/follower.h"
#include "server/meta/meta_service.h"

namespace pegmove::server::meta {

using service::HttpQuery;
using wire::RpcCode;

void MetaService::register_duplication_handlers() {
  using namespace wire;
  dispatcher_.on(RpcCode::kAddDuplication, [this](net::IncomingCall call) {
    auto request = decode_body<duplication_add_request>(call.body());
    if (!request) return call.reply(ErrorCode::kInvalidParameters);
    tasks_.spawn(add_duplication(std::move(call), std::move(*request)));
  });
  dispatcher_.on_message<duplication_modify_request, duplication_modify_response>(
      RpcCode::kModifyDuplication,
      [this](const auto& request, const auto&) { return duplications_.modify(request); });
  dispatcher_.on_message<duplication_query_request, duplication_query_response>(
      RpcCode::kQueryDuplication,
      [this](const auto& request, const auto&) { return duplications_.query(request); });
  dispatcher_.on_message<duplication_list_request, duplication_list_response>(
      RpcCode::kListDuplication,
      [this](const auto& request, const auto&) { return duplications_.list(request); });
}

Routine<> MetaService::add_duplication(net::IncomingCall call,
                                       wire::duplication_add_request request) {
  call.reply(wire::ErrorCode::kOk,
             wire::encode_body(co_await duplications_.add(std::move(request))));
}

// Pegasus: meta_http_service::query_duplication_handler.
net::HttpReply MetaService::http_duplication(const HttpQuery& query) const {
  if (!query.arguments.contains("name")) return service::bad_request("name should not be empty");
  wire::duplication_query_request request;
  request.app_name = query.argument("name");
  const auto response = duplications_.query(request);
  if (response.err.code != wire::ErrorCode::kOk)
    return service::not_found(std::string(wire::error_name(response.err.code)));
  return {.body = to_json_text(response)};
}

client::Client& MetaService::remote_client() {
  if (!remote_client_) remote_client_ = std::make_unique<client::Client>(executor_, clock_);
  return *remote_client_;
}

FollowerPort MetaService::follower_port() {
  if (options_.follower) return *options_.follower;
  return {.own_metas = [this] { return address().to_string(); },
          .check_absent =
              [this](const FollowerRequest& request, Deadline deadline) {
                return check_absent(remote_client(), request, deadline);
              },
          .create =
              [this](const FollowerRequest& request, std::string status, Deadline deadline) {
                return create_follower(remote_client(), request, std::move(status), deadline);
              },
          .check =
              [this](const FollowerRequest& request, Deadline deadline) {
                return check_follower(remote_client(), request, deadline);
              }};
}

}  // namespace pegmove::server::meta
