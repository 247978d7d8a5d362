#include "relay/relay.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_text.h"
#include "data_types.h"
#include "meta_view/table_view.h"
#include "net/tcp.h"

namespace pegmove::relay {
namespace {

using wire::ErrorCode;
using wire::RpcCode;
using Json = nlohmann::ordered_json;

constexpr async::milliseconds kLongestFlush{2'000};
constexpr async::milliseconds kFlushStep{10};
constexpr async::milliseconds kBetweenSourceQuestions{10'000};

std::string method_name(WriteMethod method) {
  return method == WriteMethod::kDuplicate ? "duplicate" : "plain";
}

// What all relays of one duplication have in common.
std::string duty_text(const RelayOptions& options) {
  return base::json_text(Json{{"from", options.source},
                              {"table", options.table},
                              {"app_id", options.app_id},
                              {"partitions", options.partitions},
                              {"to", options.target},
                              {"to_table", options.target_table},
                              {"to_app_id", options.target_app_id},
                              {"write", method_name(options.method)}});
}

meta_view::NodeAddress node_address(const net::HostPort& at) {
  meta_view::NodeAddress node{.address = {}, .host_port = wire::host_port::of(at.host, at.port)};
  // A name alone is enough for real sources.
  if (const auto ipv4 = net::parse_ipv4(at.host))
    node.address = wire::rpc_address::of(*ipv4, at.port);
  return node;
}

}  // namespace

Result<std::unique_ptr<Relay>> Relay::listen(asio::any_io_executor executor, Clock& clock,
                                             routes::SessionNodes& nodes, Target& target,
                                             RelayOptions options, Logger log) {
  auto folder = TRY(relay_folder(options.root, options.source, options.table, options.target));
  auto acceptor = TRY(net::listen_tcp(executor, options.listen));
  if (options.address.port == 0) options.address.port = acceptor->local().port;
  return std::unique_ptr<Relay>(new Relay(std::move(executor), clock, nodes, target,
                                          std::move(options), std::move(folder), std::move(log),
                                          std::move(acceptor)));
}

Relay::Relay(asio::any_io_executor executor, Clock& clock, routes::SessionNodes& nodes,
             Target& target, RelayOptions options, std::string folder, Logger log,
             std::unique_ptr<net::Acceptor> acceptor)
    : clock_(clock),
      nodes_(nodes),
      options_(std::move(options)),
      log_(std::move(log)),
      tasks_(executor),
      operations_(
          {.cluster = options_.source, .role = "relay"},
          [](std::move_only_function<void()> work) { work(); }, tasks_, clock),
      entity_(operations_.metrics.add("relay", "relay@" + options_.table,
                                      {{"table", options_.table}, {"target", options_.target}})),
      metrics_(*entity_),
      ownership_(std::make_unique<Ownership>(executor, clock, nodes,
                                             OwnershipOptions{.folder = std::move(folder),
                                                              .duty = duty_text(options_),
                                                              .partitions = options_.partitions,
                                                              .address = options_.address},
                                             log_)),
      forwarding_{.executor = executor,
                  .clock = clock,
                  .target = target,
                  .metrics = metrics_,
                  .is_sealed = [this] { return ownership_->is_sealed(); },
                  .confirm = [this] { return ownership_->confirm(); }} {
  add_lanes();
  add_handlers();
  operations_.set_port(acceptor->local().port);
  server_ = std::make_unique<net::RpcServer>(executor, std::move(acceptor), dispatcher_, clock,
                                             log_, net::RpcServerLimits{}, &operations_.http);
}

Relay::~Relay() = default;

void Relay::add_lanes() {
  for (int32_t i = 0; i < options_.partitions; ++i)
    lanes_.push_back(std::make_unique<Lane>(
        forwarding_, [this, i] { return ownership_->may_forward(i); },
        log_.with("partition", std::to_string(i))));
}

void Relay::add_handlers() {
  dispatcher_.on_message<wire::query_cfg_request, wire::query_cfg_response>(
      RpcCode::kQueryConfig,
      [this](const auto& request, const auto& head) { return config(request, head); });
  dispatcher_
      .on_message<wire::configuration_create_app_request, wire::configuration_create_app_response>(
          RpcCode::kCreateApp,
          [this](const auto& request, const auto&) { return create(request); });
  dispatcher_.on(RpcCode::kDuplicate,
                 [this](net::IncomingCall call) { duplicate(std::move(call)); });
  operations_.refresh = [this] { refresh_metrics(); };
  operations_.http.on(
      "relay", "", "The source's partitions, who owns them and what they wait for, as JSON.",
      [this](const service::HttpQuery&) {
        // Who asks until the seal is seen holds clients meanwhile.
        ownership_->look_soon();
        return net::HttpReply{.body = status_json(), .content_type = "application/json"};
      });
}

void Relay::start() {
  ownership_->start();
  server_->start();
  if (options_.count_source_partitions) tasks_.spawn(watch_source());
}

// A source that does not answer has its own problems, and no other count.
Routine<> Relay::watch_source() {
  while (!tasks_.stopped()) {
    if (const auto count = co_await options_.count_source_partitions()) take_source_count(*count);
    if (!tasks_.stopped()) co_await clock_.sleep_for(kBetweenSourceQuestions);  // no result
  }
}

// Real sources take the relay's count as it is: several partitions share one of the relay then.
void Relay::take_source_count(int32_t count) {
  std::string problem;
  if (count != options_.partitions)
    problem = fmt::format(
        "table '{}' of cluster {} has {} partitions now, and the relays were started for {}: its "
        "partitions wait for each other. End all of these relays, remove node {} and what is below "
        "it with ZooKeeper's own tools, and start them again",
        options_.table, options_.source, count, options_.partitions, ownership_->folder());
  if (!problem.empty() && problem != source_problem_) log_.error(problem);
  source_problem_ = std::move(problem);
}

std::string Relay::problem() const {
  auto text = ownership_->problem();
  if (!text.empty() && !source_problem_.empty()) text += "; ";
  return text + source_problem_;
}

Routine<> Relay::end() {
  is_ending_ = true;
  for (auto& lane : lanes_) lane->end();
  for (auto& lane : lanes_) co_await lane->join();  // no result
  while (clock_.now() < last_taken_ + kSourceRepeats)
    co_await clock_.sleep_for(kFlushStep);  // no result
  const auto deadline = Deadline::in(clock_, kLongestFlush);
  while (server_->has_unsent_replies() && !deadline.passed(clock_))
    co_await clock_.sleep_for(kFlushStep);  // no result
  server_->stop();
  ownership_->stop();
  tasks_.stop();
  co_await server_->join();     // no result
  co_await ownership_->join();  // no result
  co_await tasks_.join();       // no result
}

bool Relay::is_ours(const std::string& table) const {
  return table == options_.table || table == options_.target_table;
}

// The epoch is the ballot: a source takes another primary only with another ballot, unless the
// relay that it knows has refused it.
wire::query_cfg_response Relay::config(const wire::query_cfg_request& request,
                                       const wire::RequestHead& head) const {
  const auto host_ports = meta_view::host_ports_for(head);
  if (!is_ours(request.app_name)) return meta_view::query_config(request, nullptr, host_ports);
  std::vector<meta_view::NodeAddress> owners(lanes_.size());
  meta_view::TableView table{.app_id = options_.app_id};
  for (size_t i = 0; i < lanes_.size(); ++i) {
    auto& partition = table.partitions.emplace_back();
    const auto& owner = ownership_->owner(int32_t(i));
    if (!owner || (is_ending_ && owner->is_ours)) continue;
    owners[i] = node_address(owner->address);
    partition = {.ballot = owner->epoch, .primary = &owners[i]};
  }
  return meta_view::query_config(request, &table, host_ports);
}

// `add_dup -s`: the source creates its target table. Nobody fetches its checkpoints here: the older
// rows come by other means.
wire::configuration_create_app_response Relay::create(
    const wire::configuration_create_app_request& request) {
  wire::configuration_create_app_response response;
  response.appid = options_.app_id;
  if (is_ours(request.app_name) && request.options.partition_count == options_.partitions)
    return response;
  response.err.code = ErrorCode::kInvalidParameters;
  log_.warning(
      fmt::format("a source wants to create table '{}' with {} partitions; this relay is "
                  "for '{}' with {}",
                  base::printable(request.app_name, 255), request.options.partition_count,
                  options_.table, options_.partitions));
  return response;
}

void Relay::duplicate(net::IncomingCall call) {
  const auto gpid = call.head().gpid;
  if (gpid.app_id != options_.app_id || gpid.partition_index < 0 ||
      gpid.partition_index >= options_.partitions)
    return call.reply(ErrorCode::kObjectNotFound);
  if (is_ending_) {
    metrics_.requests.add();
    metrics_.answered_state.add();
    return call.reply(ErrorCode::kInvalidState);
  }
  auto request = ShippedRequest::parse(std::string(call.body()), options_.method);
  if (!request) return refuse(call, request.error());
  lanes_[size_t(gpid.partition_index)]->take(
      *std::move(request),
      [this, call = std::move(call)](ErrorCode code) mutable { answer(call, code); });
}

void Relay::answer(net::IncomingCall& call, ErrorCode code) {
  if (code != ErrorCode::kInvalidState) last_taken_ = clock_.now();
  if (code != ErrorCode::kOk) return call.reply(code);
  wire::duplicate_response response;
  response.__set_error(0);
  call.reply(code, wire::encode_body(response));
}

// The source repeats it each second: logged once.
void Relay::refuse(net::IncomingCall& call, const Error& error) {
  metrics_.requests.add();
  metrics_.malformed.add();
  metrics_.answered_busy.add();
  auto text = fmt::format("partition {}: {}; its later writes wait behind it",
                          call.head().gpid.partition_index, error.to_string());
  if (text != malformed_) log_.error(text);
  malformed_ = std::move(text);
  answer(call, ErrorCode::kBusy);
}

void Relay::refresh_metrics() {
  int64_t in_flight = 0, in_doubt = 0;
  for (const auto& lane : lanes_) {
    in_flight += lane->is_in_flight();
    in_doubt += lane->status().keys_in_doubt > 0;
  }
  metrics_.in_flight.set(in_flight);
  metrics_.in_doubt.set(in_doubt);
  metrics_.owned_partitions.set(ownership_->owned());
  metrics_.sealed.set(ownership_->is_sealed());
  metrics_.problem.set(!problem().empty());
  metrics_.zookeeper_connected.set(nodes_.is_connected());
}

std::string Relay::status_json() const {
  Json partitions = Json::array();
  int64_t in_flight = 0;
  for (int32_t i = 0; i < options_.partitions; ++i) {
    const auto lane = lanes_[size_t(i)]->status();
    const auto& owner = ownership_->owner(i);
    const auto may_forward = ownership_->may_forward(i);
    in_flight += lane.is_in_flight;
    partitions.push_back({{"partition", i},
                          {"owner", owner ? Json(owner->address.to_string()) : Json()},
                          {"epoch", owner ? owner->epoch : 0},
                          {"is_ours", owner && owner->is_ours},
                          {"may_forward", may_forward.has_value()},
                          {"in_flight", lane.is_in_flight},
                          {"entries_left", lane.entries_left},
                          {"keys_in_doubt", lane.keys_in_doubt},
                          {"done", lane.done},
                          {"waits_for", !lane.waits_for.empty() ? lane.waits_for
                                        : may_forward           ? ""
                                                      : may_forward.error().to_string()}});
  }
  const Json out{{"from", options_.source},
                 {"table", options_.table},
                 {"to", options_.target},
                 {"to_table", options_.target_table},
                 {"method", method_name(options_.method)},
                 {"address", options_.address.to_string()},
                 {"zookeeper", nodes_.description()},
                 {"connected", nodes_.is_connected()},
                 {"problem", problem()},
                 {"malformed", malformed_},
                 {"sealed", ownership_->is_sealed()},
                 {"owned", ownership_->owned()},
                 {"in_flight", in_flight},
                 {"partitions", std::move(partitions)}};
  return base::json_text(out, 2, base::NoUtf8::kReplace) + "\n";
}

}  // namespace pegmove::relay
