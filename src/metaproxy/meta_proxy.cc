#include "metaproxy/meta_proxy.h"
#include "meta_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/json_text.h"
#include "net/tcp.h"
#include "wire/thrift_codec.h"

namespace pegmove::metaproxy {
namespace {

using wire::ErrorCode;

// Of warnings about requests: clients may send thousands of wrong ones.
constexpr async::milliseconds kBetweenWarnings{1'000};
constexpr async::milliseconds kShortestAnswer{100};

// What the original answers: docs/metaproxy.md.
ErrorCode answer_to(const Error& error) {
  switch (error.code()) {
    case Code::kNotFound: return ErrorCode::kObjectNotFound;
    case Code::kCorrupt: return ErrorCode::kInvalidData;
    default: return ErrorCode::kZookeeperOperation;
  }
}

}  // namespace

Result<std::unique_ptr<MetaProxy>> MetaProxy::listen(asio::any_io_executor executor, Clock& clock,
                                                     routes::Nodes& nodes, MetaProxyOptions options,
                                                     Logger log, net::HostNames::LookUp look_up) {
  auto acceptor = TRY(net::listen_tcp(executor, options.listen));
  return std::unique_ptr<MetaProxy>(new MetaProxy(std::move(executor), clock, nodes,
                                                  std::move(options), std::move(log),
                                                  std::move(look_up), std::move(acceptor)));
}

MetaProxy::MetaProxy(asio::any_io_executor executor, Clock& clock, routes::Nodes& nodes,
                     MetaProxyOptions options, Logger log, net::HostNames::LookUp look_up,
                     std::unique_ptr<net::Acceptor> acceptor)
    : clock_(clock),
      nodes_(nodes),
      options_(std::move(options)),
      log_(std::move(log)),
      metrics_(options_.labels),
      routes_(std::make_unique<RouteTable>(executor, clock, nodes, options_.routes, log_,
                                           [this](const std::string& table, bool has_route) {
                                             metrics_.count_zookeeper_read(has_route ? &table
                                                                                     : nullptr);
                                           })),
      connector_(std::make_unique<net::TcpConnector>(clock)),
      metas_(std::make_unique<MetaAsker>(executor, *connector_, clock, std::move(look_up),
                                         options_.metas)),
      http_([](std::move_only_function<void()> work) { work(); }),
      server_(std::make_unique<net::RpcServer>(executor, std::move(acceptor), *this, clock, log_,
                                               net::RpcServerLimits{}, &http_)),
      tasks_(executor) {
  add_http();
}

MetaProxy::~MetaProxy() = default;

void MetaProxy::start() {
  routes_->start();
  server_->start();
}

void MetaProxy::stop() {
  server_->stop();
  metas_->stop();
  routes_->stop();
  tasks_.stop();
}

Routine<> MetaProxy::join() {
  co_await server_->join();  // no result
  co_await metas_->join();   // no result
  co_await tasks_.join();    // no result
  co_await routes_->join();  // no result
}

void MetaProxy::handle(net::IncomingCall call) {
  if (wire::rpc_code_from_name(call.head().name) != wire::RpcCode::kQueryConfig)
    return call.reply(ErrorCode::kHandlerNotFound);
  auto request = wire::decode_body<wire::query_cfg_request>(call.body());
  if (!request) return call.reply(ErrorCode::kInvalidParameters);
  tasks_.spawn(answer(std::move(call), std::move(request->app_name)));
}

Deadline MetaProxy::deadline_of(const net::IncomingCall& call) const {
  auto time = options_.answer_time;
  if (const auto theirs = call.head().timeout_ms; theirs > 0)
    time = std::clamp(async::milliseconds(int64_t(theirs) * 4 / 5), kShortestAnswer, time);
  return Deadline::in(clock_, time);
}

Routine<> MetaProxy::answer(net::IncomingCall call, std::string table) {
  const auto deadline = deadline_of(call);
  if (!options_.tables.empty() && !options_.tables.contains(table)) {
    metrics_.count_query(nullptr);
    refuse(call, table, ErrorCode::kObjectNotFound, "it is not one of --tables");
    co_return;
  }
  auto route = co_await routes_->find(table, deadline);
  metrics_.count_query(route ? &table : nullptr);
  if (!route) {
    refuse(call, table, answer_to(route.error()), route.error().to_string());
    co_return;
  }
  auto reply = co_await metas_->ask(*std::move(route), call.head().framing,
                                    std::string(call.body()), deadline);
  if (!reply) {
    refuse(call, table, ErrorCode::kUnknown, reply.error().to_string());
    co_return;
  }
  call.reply(ErrorCode::kOk, reply->body.view);
}

void MetaProxy::refuse(net::IncomingCall& call, const std::string& table, ErrorCode error,
                       const std::string& why) {
  metrics_.count_error(error);
  wire::query_cfg_response response;
  response.err.code = error;
  call.reply(ErrorCode::kOk, wire::encode_body(response));
  if (clock_.now() - last_warning_ < kBetweenWarnings) {
    ++unlogged_;
    return;
  }
  last_warning_ = clock_.now();
  const auto others = std::exchange(unlogged_, 0);
  log_.warning(
      fmt::format("client {} asked for table '{}' and got {}: {}{}", call.peer().to_string(),
                  base::printable(table), wire::error_name(error), why,
                  others == 0 ? "" : fmt::format(" ({} more refusals were not logged)", others)));
}

void MetaProxy::add_http() {
  http_.on("routes", "", "The routes in use, their age, and the state of ZooKeeper, as JSON.",
           [this](const service::HttpQuery&) {
             return net::HttpReply{.body = routes_json(), .content_type = "application/json"};
           });
  http_.on("metrics", "", "Metrics as text for Prometheus.", [this](const service::HttpQuery&) {
    return net::HttpReply{
        .body = metrics_.text(*routes_, server_->connections(), nodes_.is_connected()),
        .content_type = "text/plain; version=0.0.4"};
  });
}

std::string MetaProxy::routes_json() const {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const auto& [table, known] : routes_->known())
    list.push_back({{"table", table},
                    {"cluster_name", known.route.cluster},
                    {"meta_addrs", known.route.metas_text()},
                    {"version", known.version},
                    {"changed_ms", known.changed_ms},
                    {"age_ms", routes_->age_of(known).count()},
                    {"problem", known.problem}});
  const Json out{{"zookeeper", nodes_.description()},
                 {"root", options_.routes.root.empty() ? "/" : options_.routes.root},
                 {"connected", nodes_.is_connected()},
                 {"routes", std::move(list)}};
  return base::json_text(out, 2, base::NoUtf8::kReplace) + "\n";
}

}  // namespace pegmove::metaproxy
