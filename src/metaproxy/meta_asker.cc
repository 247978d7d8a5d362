#include "metaproxy/meta_asker.h"
#include "meta_types.h"

#include <fmt/format.h>

#include "wire/thrift_codec.h"

namespace pegmove::metaproxy {
namespace {

using wire::ErrorCode;

constexpr async::milliseconds kFirstPause{50};
constexpr async::milliseconds kLongestPause{500};
// Of routes; as many as a table of routes has by default.
constexpr size_t kMostLeaders = 1024;
constexpr size_t kMostForwards = 4;

struct Verdict {
  bool is_answer = false;
  std::optional<net::Address> leader{};
  std::optional<Error> error{};
};

std::optional<net::Address> address_of(const wire::rpc_address& address) {
  if (!address.is_set() || address.port() == 0) return std::nullopt;
  return net::Address{address.ipv4(), address.port()};
}

// A forward is either an RPC-level error with the leader's address as its body, or the response's
// own error with the leader as the primary of its first partition. Pegasus: src/meta/meta_service.h
// (check_leader), meta_service.cpp (on_query_configuration_by_index).
Verdict judge(const net::IncomingReply& reply, net::Address from) {
  const auto where = "meta server " + from.to_string();
  if (reply.error == ErrorCode::kForwardToOthers) {
    Verdict verdict{.error = wire::to_error(reply.error, where)};
    if (auto leader = wire::decode_body<wire::rpc_address>(reply.body.view))
      verdict.leader = address_of(*leader);
    return verdict;
  }
  if (reply.error != ErrorCode::kOk) return {.error = wire::to_error(reply.error, where)};
  auto response = wire::decode_body<wire::query_cfg_response>(reply.body.view);
  if (!response) return {.error = std::move(response).error().with_context(std::string(where))};
  if (response->err.code != ErrorCode::kForwardToOthers) return {.is_answer = true};
  Verdict verdict{.error = wire::to_error(response->err.code, where)};
  if (!response->partitions.empty()) verdict.leader = address_of(response->partitions[0].primary);
  return verdict;
}

}  // namespace

MetaAsker::MetaAsker(asio::any_io_executor executor, net::Connector& connector, Clock& clock,
                     net::HostNames::LookUp look_up, MetaAskerOptions options)
    : clock_(clock), options_(options), host_names_(executor, clock, std::move(look_up)) {
  for (size_t framing = 0; framing < clients_.size(); ++framing)
    clients_[framing] = std::make_unique<net::RpcClient>(
        executor, connector, clock, net::RpcChannelOptions{.framing = wire::Framing(framing)});
}

// Names that cannot be looked up are left out.
Routine<> MetaAsker::look_up(Round& round, const routes::Route& route, Deadline deadline) {
  for (const auto& meta : route.metas) {
    auto addresses = co_await host_names_.resolve(meta, deadline);
    if (!addresses) {
      round.last = std::move(addresses).error();
      continue;
    }
    round.next.insert(round.next.end(), addresses->begin(), addresses->end());
  }
}

void MetaAsker::note_failed(const routes::Route& route, net::Address address) {
  const auto leader = leaders_.find(route.metas);
  if (leader != leaders_.end() && leader->second == address) leaders_.erase(leader);
  for (const auto& meta : route.metas) host_names_.failed(meta, address);
}

Task<net::IncomingReply> MetaAsker::ask_round(Round& round, const routes::Route& route,
                                              net::RpcClient& client, std::string_view body,
                                              Deadline deadline) {
  size_t forwards = 0;
  while (!round.next.empty() && !deadline.passed(clock_)) {
    const auto meta = round.next.front();
    round.next.pop_front();
    if (!round.asked.insert(meta).second) continue;
    const auto limit = deadline.earlier(Deadline::in(clock_, options_.one_try));
    auto reply = co_await client.channel(meta).call(
        {.code = wire::RpcCode::kQueryConfig, .body = body, .deadline = limit});
    if (!reply) {
      if (reply.error().code() == Code::kInterrupted) co_return reply;
      note_failed(route, meta);
      round.last = std::move(reply).error();
      continue;
    }
    auto verdict = judge(*reply, meta);
    if (verdict.is_answer) {
      if (leaders_.size() >= kMostLeaders) leaders_.clear();
      leaders_[route.metas] = meta;
      co_return reply;
    }
    note_failed(route, meta);
    round.last = *std::move(verdict.error);
    if (verdict.leader && ++forwards <= kMostForwards) round.next.push_front(*verdict.leader);
  }
  co_return fail(round.last);
}

// The leader first, if it is known: no name is looked up for it.
Task<net::IncomingReply> MetaAsker::ask_all(const routes::Route& route, net::RpcClient& client,
                                            std::string_view body, Deadline deadline) {
  Round round;
  if (const auto leader = leaders_.find(route.metas); leader != leaders_.end()) {
    round.next.push_back(leader->second);
    auto reply = co_await ask_round(round, route, client, body, deadline);
    if (reply || reply.error().code() == Code::kInterrupted) co_return reply;
  }
  co_await look_up(round, route, deadline);  // no result
  co_return co_await ask_round(round, route, client, body, deadline);
}

Task<net::IncomingReply> MetaAsker::ask(routes::Route route, wire::Framing framing,
                                        std::string body, Deadline deadline) {
  auto& client = *clients_[size_t(framing)];
  for (int attempt = 0;; ++attempt) {
    auto reply = co_await ask_all(route, client, body, deadline);
    if (reply || reply.error().code() == Code::kInterrupted) co_return reply;
    const auto pause = async::back_off(attempt, kFirstPause, kLongestPause);
    if (deadline.left(clock_) <= pause)
      co_return fail(
          Code::kUnreachable,
          fmt::format("no meta server of cluster '{}' answers ({}); its addresses are {}",
                      route.cluster, reply.error().to_string(), route.metas_text()));
    co_await clock_.sleep_for(pause);  // no result
  }
}

void MetaAsker::stop() {
  host_names_.stop();
  for (auto& client : clients_) client->stop();
}

Routine<> MetaAsker::join() {
  co_await host_names_.join();                            // no result
  for (auto& client : clients_) co_await client->join();  // no result
}

}  // namespace pegmove::metaproxy
