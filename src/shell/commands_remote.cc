// Remote commands: text to servers, and what they answer, as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>

#include "async/all.h"
#include "base/json_text.h"
#include "client/node.h"
#include "shell/handlers.h"
#include "shell/host_name.h"
#include "shell/metrics.h"
#include "shell/report.h"
#include "shell/session.h"

namespace pegmove::shell {
namespace {

using nlohmann::json;

constexpr OptionSpec kRemoteOptions[] = {{'t', "node_type", true},
                                         {'r', "resolve_ip"},
                                         {'l', "nodes", true},
                                         {'i', "sample_interval_ms", true}};
constexpr async::milliseconds kCommandTimeout{5000};
constexpr const char* kServerStat = "server_stat";  // none that servers know: read from /metrics

struct Target {
  net::HostPort node;
  std::string role;
};

struct Answer {
  bool is_acked = false;
  std::string message{};
};

Task<std::vector<Target>> targets_of_type(std::shared_ptr<client::Cluster> cluster,
                                          std::string type, Deadline deadline) {
  std::vector<Target> targets;
  if (type == "all" || type == "meta-server")
    for (auto& meta : CO_TRY(net::parse_host_port_list(cluster->meta_list())))
      targets.push_back({std::move(meta), "meta-server"});
  if (type == "all" || type == "replica-server")
    for (auto& node : CO_TRY(co_await alive_nodes(cluster, deadline)))
      targets.push_back({std::move(node), "replica-server"});
  co_return targets;
}

// "host:port,host:port", each of which is named when it is none.
Result<std::vector<Target>> targets_of_list(std::string_view list) {
  std::vector<Target> targets;
  while (!list.empty()) {
    auto word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), word.size() + 1));
    auto node = net::parse_host_port(word);
    if (!node)
      return fail(Code::kInvalidArgument, fmt::format("parse '{}' as host:port failed", word));
    targets.push_back({*node, "user-specified"});
  }
  return targets;
}

Result<void> check_options(const Options& options) {
  auto type = options.text('t');
  if (options.has('t') && options.has('l'))
    return fail(Code::kInvalidArgument, "can not specify both node_type and nodes_str");
  if (options.has('t') && type != "all" && type != "meta-server" && type != "replica-server")
    return fail(Code::kInvalidArgument,
                "invalid node_type, should be in [all, meta-server, replica-server]");
  return {};
}

Task<> call_one(client::Client& client, net::HostPort node, std::string command,
                std::vector<std::string> arguments, Answer& answer) {
  auto deadline = Deadline::in(client.clock(), kCommandTimeout);
  auto text =
      co_await client::remote_command(client, node, command, std::move(arguments), deadline);
  answer = text ? Answer{true, *text} : Answer{false, meta_error_text(text.error())};
  co_return Result<void>();
}

Task<std::vector<Answer>> call_all(client::Client& client, std::vector<Target> targets,
                                   std::string command, std::vector<std::string> arguments) {
  std::vector<Answer> answers(targets.size());
  std::vector<Task<>> calls;
  for (size_t i = 0; i < targets.size(); ++i)
    calls.push_back(call_one(client, targets[i].node, command, arguments, answers[i]));
  CO_TRY(co_await async::all(std::move(calls)));
  co_return answers;
}

// The newer sample: all that is shown are gauges.
Answer stat_answer(const Result<MetricsSample>& sample) {
  if (!sample) return {false, sample.error().message()};
  static constexpr const char* kReplicas[] = {
      "total_replicas",     "opening_replicas",  "closing_replicas",
      "inactive_replicas",  "error_replicas",    "primary_replicas",
      "secondary_replicas", "learning_replicas", "splitting_replicas"};
  bool is_replica = sample->role == "replica";
  if (!is_replica && sample->role != "meta")
    return {false, fmt::format("role {} is unsupported", sample->role)};
  json stats{{"virt_mem_mb", 0.0}, {"res_mem_mb", 0.0}};
  if (is_replica)
    for (const char* name : kReplicas) stats[name] = 0.0;
  for (const auto& entity : sample->entities) {
    if (entity.type != "server") continue;
    stats["virt_mem_mb"] = entity.value("virtual_mem_usage_mb");
    stats["res_mem_mb"] = entity.value("resident_mem_usage_mb");
    if (is_replica)
      for (const char* name : kReplicas) stats[name] = entity.value(name);
  }
  return {true, base::json_text(stats)};
}

Task<std::vector<Answer>> stat_all(client::Client& client, std::vector<Target> targets) {
  MetricsQuery query{.types = {"server"},
                     .names = {"virtual_mem_usage_mb", "resident_mem_usage_mb", "total_replicas",
                               "opening_replicas", "closing_replicas", "inactive_replicas",
                               "error_replicas", "primary_replicas", "secondary_replicas",
                               "learning_replicas", "splitting_replicas"}};
  std::vector<net::HostPort> nodes;
  for (const auto& target : targets) nodes.push_back(target.node);
  auto deadline = Deadline::in(client.clock(), kCommandTimeout);
  std::vector<Answer> answers;
  for (const auto& sample :
       CO_TRY(co_await fetch_metrics(client, nodes, query, "server stats", deadline)))
    answers.push_back(stat_answer(sample));
  co_return answers;
}

// A message that is JSON as such, and as text otherwise; also when it is so deep that writing it,
// which goes down by calls, might not come back.
json message_of(const std::string& text) {
  constexpr int kMostDepth = 64;
  int depth = 0, deepest = 0;
  for (char c : text) {
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  if (deepest > kMostDepth) return text;
  auto message = base::parse_json<json>(text);
  return message.is_discarded() ? json(text) : message;
}

// Indented by two, keys in order. A message that is JSON stands in it as such.
std::string report_text(const std::string& command, const std::vector<Target>& targets,
                        const std::vector<Answer>& answers, bool resolve) {
  json report{{"command", command}};
  int acked = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    report["details"][node_text(targets[i].node, resolve)] = {
        {"role", targets[i].role},
        {"acked", answers[i].is_acked},
        {"message", message_of(answers[i].message)}};
    if (answers[i].is_acked) ++acked;
  }
  report["succeed_count"] = acked;
  report["failed_count"] = int(targets.size()) - acked;
  return base::json_text(report, 2, base::NoUtf8::kReplace) + "\n";
}

// `command` is what the server knows; empty: the first word.
Outcome run(Session& session, Words words, std::string command) {
  auto options = Options::parse(words, kRemoteOptions);
  if (!options) return wrong_usage(session, options.error());
  auto arguments = options->rest();
  if (command.empty() && !arguments.empty()) {
    command = arguments.front();
    arguments.erase(arguments.begin());
    if (command == "server_info") command = "server-info";
    if (command == "flush_log") command = "flush-log";
  }
  if (command.empty())
    return wrong_usage(session, Error(Code::kInvalidArgument, "missing <command>"));
  if (auto checked = check_options(*options); !checked)
    return wrong_usage(session, checked.error());
  if (auto interval = sample_interval(*options); !interval)
    return wrong_usage(session, interval.error());
  auto type = options->has('t') ? options->text('t') : "all";
  auto targets =
      options->has('l')
          ? targets_of_list(options->text('l'))
          : session.run(targets_of_type(session.cluster(), type, session.meta_deadline()));
  if (!targets && options->has('l')) return wrong_usage(session, targets.error());
  if (!targets) {
    session.err() << "ERROR: list node failed: " << meta_error_text(targets.error())
                  << "\nERROR: prepare nodes failed, node_type = " << type << "\n";
    return Outcome::kFailed;
  }
  auto& client = session.cluster()->client();
  auto answers =
      session.run(command == kServerStat ? stat_all(client, *targets)
                                         : call_all(client, *targets, command, arguments));
  if (!answers) return wrong_usage(session, answers.error());
  auto line = command + " ";
  for (size_t i = 0; i < arguments.size(); ++i) line += (i > 0 ? " " : "") + arguments[i];
  session.out() << report_text(line, *targets, *answers, options->has('r'));
  bool all_acked = std::ranges::all_of(*answers, &Answer::is_acked);
  return all_acked ? Outcome::kDone : Outcome::kFailed;
}

}  // namespace

Outcome run_remote_command(Session& session, Words words) { return run(session, words, ""); }

Outcome run_server_info(Session& session, Words words) {
  return run(session, words, "server-info");
}

Outcome run_server_stat(Session& session, Words words) { return run(session, words, kServerStat); }

Outcome run_flush_log(Session& session, Words words) { return run(session, words, "flush-log"); }

}  // namespace pegmove::shell
