#include "client/meta_caller.h"
#include "meta_types.h"

#include <fmt/format.h>

#include <algorithm>

namespace pegmove::client {
namespace {

using async::milliseconds;
using wire::ErrorCode;

// One meta server that hangs must not use up the time of the others.
constexpr milliseconds kOneTry{2000};
constexpr milliseconds kProbe{1000};
constexpr milliseconds kFirstPause{50};
constexpr milliseconds kLongestPause{1000};

Error refused_as(Code kind, const Error& error, const std::string& hint) {
  auto message = error.message() + (hint.empty() ? "" : fmt::format(" [hint:\"{}\"]", hint));
  return Error(kind, std::move(message)).with_wire_code(*error.wire_code());
}

Code job_kind(ErrorCode code, Code otherwise) {
  switch (code) {
    case ErrorCode::kInvalidParameters: return Code::kInvalidArgument;
    case ErrorCode::kCorruption: return Code::kCorrupt;
    case ErrorCode::kInvalidState:
    case ErrorCode::kInactiveState:
    case ErrorCode::kInconsistentState:
    case ErrorCode::kIngestionFailed:
    case ErrorCode::kAppDropped: return Code::kRefused;
    default: return otherwise;
  }
}

}  // namespace

Error refused(ErrorCode code, const std::string& what, const std::string& hint) {
  const auto error = wire::to_error(code, what);
  return refused_as(error.code(), error, hint);
}

Error job_refused(ErrorCode code, const std::string& what, const std::string& hint) {
  const auto error = wire::to_error(code, what);
  return refused_as(job_kind(code, error.code()), error, hint);
}

std::string MetaCaller::description() const { return net::list_text(metas_); }

Task<MetaCaller::Meta> MetaCaller::current_meta(Deadline deadline) {
  if (leader_) co_return Meta{*leader_, metas_.size() == 1};
  auto addresses =
      CO_TRY(co_await client_.host_names().resolve(metas_[current_ % metas_.size()], deadline));
  // A name with several addresses means several meta servers.
  asked_ = addresses.front();
  co_return Meta{asked_, metas_.size() * addresses.size() == 1};
}

Task<net::IncomingReply> MetaCaller::call_leader(wire::RpcCode code, std::string body,
                                                 Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    auto meta = co_await current_meta(deadline);
    if (meta) {
      auto reply = CO_TRY(co_await call_one(*meta, code, body, deadline));
      if (reply) co_return std::move(*reply);
    } else {
      last_error_ = std::move(meta).error();
    }
    CO_TRY(co_await try_next(attempt, deadline));
  }
}

// nullopt: try again, at another server or at the leader that is now known.
Task<std::optional<net::IncomingReply>> MetaCaller::call_one(Meta which, wire::RpcCode code,
                                                             std::string_view body,
                                                             Deadline deadline) {
  const auto meta = which.address;
  auto one_try =
      which.is_only ? deadline : deadline.earlier(Deadline::in(client_.clock(), kOneTry));
  auto reply =
      co_await client_.channel(meta).call({.code = code, .body = body, .deadline = one_try});
  if (!reply) {
    if (reply.error().code() == Code::kInterrupted) co_return fail(std::move(reply).error());
    if (reply.error().code() == Code::kTimeout && CO_TRY(co_await demands_authentication(meta)))
      co_return fail(
          Code::kUnauthenticated,
          fmt::format("meta server {} requires authentication (SASL), which pegmove does not "
                      "support; disable [security] mandatory_auth there during the work",
                      meta.to_string()));
    last_error_ = std::move(reply).error();
    co_return std::nullopt;
  }
  if (reply->error == ErrorCode::kForwardToOthers) {
    auto leader = wire::decode_body<wire::rpc_address>(reply->body.view);
    if (leader && leader->is_set()) leader_ = net::Address{leader->ipv4(), leader->port()};
    last_error_ = wire::to_error(reply->error, "meta server " + meta.to_string());
    co_return std::nullopt;
  }
  if (reply->error == ErrorCode::kHandlerNotFound)
    co_return fail(wire::to_error(
        reply->error,
        fmt::format("{} at {}, which is no meta server (a MetaProxy only answers where "
                    "the partitions of a table are; give the cluster's own meta servers)",
                    wire::rpc_name(code), meta.to_string())));
  if (reply->error != ErrorCode::kOk)
    co_return fail(wire::to_error(reply->error,
                                  fmt::format("{} at {}", wire::rpc_name(code), meta.to_string())));
  co_return std::move(*reply);
}

// Moves to the next meta server, with a pause after each round; fails when there is no time left.
Task<> MetaCaller::try_next(int attempt, Deadline deadline) {
  bool follows_leader = last_error_ &&
                        last_error_->wire_code() == int(ErrorCode::kForwardToOthers) && leader_ &&
                        attempt < 8;
  if (!follows_leader) {
    client_.host_names().failed(metas_[current_ % metas_.size()], asked_);
    leader_.reset();
    ++current_;
  }
  auto& clock = client_.clock();
  auto pause = async::back_off(attempt / int(metas_.size()), kFirstPause, kLongestPause);
  if (deadline.left(clock) <= pause) {
    auto why = last_error_ ? last_error_->to_string() : "all forward to others";
    co_return fail(Code::kUnreachable, fmt::format("no meta server of {} answers ({}); check the "
                                                   "addresses and that the cluster is running",
                                                   description(), why));
  }
  if (!follows_leader && (attempt + 1) % int(metas_.size()) == 0)
    co_await clock.sleep_for(pause);  // no result
  co_return Result<void>();
}

// A server with mandatory authentication drops requests silently, but negotiates.
Task<bool> MetaCaller::demands_authentication(net::Address meta) {
  wire::negotiation_request request;
  request.status = wire::SASL_LIST_MECHANISMS;
  auto body = wire::encode_body(request);
  auto reply =
      co_await client_.channel(meta).call({.code = wire::RpcCode::kNegotiation,
                                           .body = body,
                                           .deadline = Deadline::in(client_.clock(), kProbe)});
  if (!reply || reply->error != ErrorCode::kOk) co_return false;
  auto response = wire::decode_body<wire::negotiation_response>(reply->body.view);
  co_return response && response->status == wire::SASL_LIST_MECHANISMS_RESP;
}

}  // namespace pegmove::client
