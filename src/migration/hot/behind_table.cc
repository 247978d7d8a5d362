#include "migration/hot/behind_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "async/for_each.h"
#include "base/bytes.h"
#include "base/text.h"
#include "base/units.h"
#include "client/node.h"

namespace pegmove::migration::hot {
namespace {

constexpr const char* kUsageScenario = "rocksdb.usage_scenario";
constexpr const char* kLoadScenario = "bulk_load";
constexpr const char* kAllowBehind = "rocksdb.allow_ingest_behind";
constexpr const char* kNoManualCompaction = "manual_compact.disabled";
constexpr size_t kEnvQuestionsAtOnce = 16;

using NodesEnvs = std::map<std::string, std::map<int32_t, EnvMap>>;

std::unexpected<Error> odd_envs(std::string_view text) {
  return fail(Code::kProtocol, fmt::format("the answer to replica.query-app-envs is none: {}",
                                           base::printable(text, 80)));
}

bool says_when_to_compact(std::string_view env) { return env.starts_with("manual_compact."); }

// "rocksdb.num_levels=6,rocksdb.usage_scenario=normal"
EnvMap read_engine_envs(const std::string& text) {
  EnvMap envs;
  for (const auto& each : base::split(text, ','))
    if (const auto at = each.find('='); at != std::string::npos)
      envs[each.substr(0, at)] = each.substr(at + 1);
  return envs;
}

Routine<> ask_engine_envs(client::Cluster& cluster, int32_t app_id, std::string node,
                          Deadline deadline, NodesEnvs& answers) {
  const auto place = net::parse_host_port(node);
  if (!place) co_return;
  const auto text = co_await client::remote_command(
      cluster.client(), *place, "replica.query-app-envs", {std::to_string(app_id)}, deadline);
  if (!text) co_return;
  if (auto envs = parse_query_app_envs(*text, app_id)) answers[node] = *std::move(envs);
}

std::optional<std::string> why_may_compact(const NodesEnvs& answers, int32_t partition,
                                           const std::string& node) {
  const auto where = fmt::format("partition {} on {}", partition, node);
  const auto found = answers.find(node);
  if (found == answers.end() || !found->second.contains(partition))
    return where + " does not say whether it compacts";
  const auto& envs = found->second.at(partition);
  const auto scenario = envs.find(kUsageScenario);
  if (scenario != envs.end() && scenario->second == kLoadScenario) return std::nullopt;
  return fmt::format("{} does not act on {}={} yet", where, kUsageScenario, kLoadScenario);
}

bool was_made_so(const client::TableInfo& info, int32_t partitions, const EnvMap& wanted) {
  return info.partition_count == partitions && std::ranges::all_of(wanted, [&](const auto& env) {
           const auto found = info.envs.find(env.first);
           return found != info.envs.end() && found->second == env.second;
         });
}

}  // namespace

EnvMap creation_envs(const EnvMap& source_envs) {
  auto envs = envs_of(decide_envs(source_envs), EnvFate::kAtCreation);
  envs[kAllowBehind] = "true";
  envs[kUsageScenario] = kLoadScenario;
  envs[kNoManualCompaction] = "true";
  return envs;
}

EnvMap envs_when_loaded(const EnvMap& source_envs) {
  auto envs = envs_of(decide_envs(source_envs), EnvFate::kAfterCreation);
  std::erase_if(envs, [](const auto& env) { return !says_when_to_compact(env.first); });
  envs.emplace(kNoManualCompaction, "false");
  const auto scenario = source_envs.find(kUsageScenario);
  const bool is_usual = scenario == source_envs.end() || scenario->second == kLoadScenario;
  envs[kUsageScenario] = is_usual ? "normal" : scenario->second;
  return envs;
}

Task<MadeTable> make_behind_table(client::Cluster& cluster, BehindTable table, Deadline deadline) {
  auto info = co_await cluster.table_info(table.name, deadline);
  if (!info && info.error().code() != Code::kNotFound) co_return fail(std::move(info).error());
  const auto wanted = creation_envs(table.source_envs);
  if (info && !was_made_so(*info, table.partitions, wanted))
    co_return fail(Code::kAlreadyExists,
                   fmt::format("somebody else has made table '{}' on cluster {} meanwhile, with "
                               "other settings: drop it, and resume the run",
                               table.name, cluster.name()));
  if (!info)
    CO_TRY(co_await cluster.create_table(
        table.name,
        {.partition_count = table.partitions, .replica_count = table.replicas, .envs = wanted},
        deadline));
  CO_TRY(co_await cluster.wait_until_ready(table.name, {}, deadline));
  const auto decisions = decide_envs(table.source_envs);
  auto later = envs_of(decisions, EnvFate::kAfterCreation);
  // What is shipped has the TTL of the client's request: without one it gets the table's, as in the
  // source. Rows of files keep their expiry.
  later.merge(envs_of(decisions, EnvFate::kAfterCopy));
  std::erase_if(later, [](const auto& env) { return says_when_to_compact(env.first); });
  if (!later.empty()) CO_TRY(co_await cluster.set_envs(table.name, later, deadline));
  MadeTable made{.app_id = CO_TRY(co_await cluster.table_info(table.name, deadline)).app_id};
  for (const auto& each : decisions)
    if (each.fate == EnvFate::kLeftOut && each.name != kUsageScenario)
      made.notes.push_back(fmt::format("the target table does not get {} = {}: {}", each.name,
                                       each.value, each.why));
  co_return made;
}

Result<std::map<int32_t, EnvMap>> parse_query_app_envs(std::string_view text, int32_t app_id) {
  const auto lines = base::split(text, '\n');
  if (lines.empty() || !lines.front().contains(" processed, ")) return odd_envs(text);
  std::map<int32_t, EnvMap> replicas;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const auto at = line.find('@'), dot = line.find('.'), colon = line.find(" : ");
    if (at == line.npos || colon == line.npos || dot > at || at > colon) return odd_envs(line);
    const auto app = base::parse_integer(line.substr(0, dot), 1, INT32_MAX);
    const auto index = base::parse_integer(line.substr(dot + 1, at - dot - 1), 0, INT32_MAX);
    if (!app || !index || *app != app_id) return odd_envs(line);
    const auto value = line.substr(colon + 3);
    if (value.starts_with("not found")) continue;
    replicas[int32_t(*index)] = read_engine_envs(std::string(value));
  }
  return replicas;
}

Task<std::optional<std::string>> why_not_behind(ClusterSide& side, int32_t replicas,
                                                Deadline deadline) {
  const auto view = CO_TRY(co_await side.view(deadline));
  std::set<std::string> distinct;
  for (const auto& partition : view)
    for (const auto& member : partition.members) distinct.insert(member.node);
  const std::vector<std::string> nodes(distinct.begin(), distinct.end());
  NodesEnvs answers;
  const auto ask = [&](size_t i) -> Task<> {  // outlives: this frame
    co_await ask_engine_envs(side.cluster(), side.app_id(), nodes[i], deadline,
                             answers);  // no result
    co_return Result<void>();
  };
  CO_TRY(co_await async::for_each(nodes.size(), kEnvQuestionsAtOnce, ask));
  for (size_t i = 0; i < view.size(); ++i) {
    if (view[i].members.size() < size_t(replicas))
      co_return fmt::format("partition {} has {} of {} replicas", i, view[i].members.size(),
                            replicas);
    for (const auto& member : view[i].members)
      if (auto why = why_may_compact(answers, int32_t(i), member.node)) co_return why;
  }
  co_return std::nullopt;
}

}  // namespace pegmove::migration::hot
