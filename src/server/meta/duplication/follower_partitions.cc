#include "server/meta/duplication/follower_partitions.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_text.h"

namespace pegmove::server::meta {
namespace {

constexpr async::milliseconds kFirstPauseOfFetch{50};
constexpr async::milliseconds kLongestPauseOfFetch{10'000};

const std::string* env_of(const wire::app_info& app, const char* name) {
  const auto found = app.envs.find(name);
  return found == app.envs.end() ? nullptr : &found->second;
}

}  // namespace

bool is_follower(const wire::app_info& app) {
  return env_of(app, duplication::kMasterClusterEnv) && env_of(app, duplication::kMasterMetasEnv);
}

Result<duplication::CheckpointRequest> checkpoint_request(const wire::app_info& app,
                                                          int32_t partition) {
  const auto* metas = env_of(app, duplication::kMasterMetasEnv);
  const auto* cluster = env_of(app, duplication::kMasterClusterEnv);
  if (!metas || !cluster)
    return fail(
        Code::kInvalidArgument,
        fmt::format("the table '{}' names no cluster that its rows come from", app.app_name));
  auto addresses = TRY(in_context(
      net::parse_host_port_list(*metas),
      fmt::format("the app env {} of the table '{}'", duplication::kMasterMetasEnv, app.app_name)));
  // Sources before 2.6 do not send the name: it is the same.
  const auto* table = env_of(app, duplication::kMasterTableEnv);
  return duplication::CheckpointRequest{.gpid = {app.app_id, partition},
                                        .partition_count = app.partition_count,
                                        .table = app.app_name,
                                        .master_cluster = *cluster,
                                        .master_metas = std::move(addresses),
                                        .master_table = table ? *table : app.app_name};
}

FollowerPartitions::FollowerPartitions(asio::any_io_executor executor, const AppCatalog& catalog,
                                       NodePort& nodes, Open open,
                                       backup::FailpointListener on_failpoint, Clock& clock,
                                       Logger log)
    : catalog_(catalog),
      nodes_(nodes),
      open_(std::move(open)),
      on_failpoint_(std::move(on_failpoint)),
      clock_(clock),
      log_(std::move(log)),
      tasks_(std::move(executor)) {}

void FollowerPartitions::fetch(Gpid gpid) {
  if (tasks_.stopped() || !fetched_.try_emplace(gpid).second) return;
  tasks_.spawn(fetch_loop(gpid));
}

bool FollowerPartitions::is_wanted(Gpid gpid) const {
  const auto* app = catalog_.find_by_id(gpid.app_id);
  return !tasks_.stopped() && app && app->is_available() && is_follower(app->info);
}

Routine<> FollowerPartitions::fetch_loop(Gpid gpid) {
  while (is_wanted(gpid)) {
    auto& state = fetched_.at(gpid);
    state.progress->cancelled = false;  // it may have been dropped and recalled
    ++state.attempts;
    const auto done = co_await fetch_once(gpid, state.progress);
    if (done || !is_wanted(gpid)) break;
    if (auto why = done.error().to_string(); why != state.error) {
      log_.warning(fmt::format("partition {} waits for its rows: {}", gpid.to_string(), why));
      state.error = std::move(why);
    }
    co_await clock_.sleep_for(async::back_off(state.attempts - 1, kFirstPauseOfFetch,
                                              kLongestPauseOfFetch));  // no result
  }
  fetched_.erase(gpid);
}

Task<> FollowerPartitions::fetch_once(Gpid gpid,
                                      std::shared_ptr<duplication::CheckpointProgress> progress) {
  const auto* app = catalog_.find_by_id(gpid.app_id);
  const auto node = app->partitions[size_t(gpid.partition_index)].node;
  auto request = CO_TRY(checkpoint_request(app->info, gpid.partition_index));
  CO_TRY(co_await nodes_.fetch_checkpoint(node, std::move(request), std::move(progress)));
  if (!is_wanted(gpid)) co_return Result<void>();
  const auto opened = *catalog_.find_by_id(gpid.app_id);
  CO_TRY(co_await open_(opened, gpid.partition_index));
  if (on_failpoint_) on_failpoint_("follower.partition_opened");
  // Changes sent to the nodes meanwhile did not reach the partition that was being opened.
  const auto* now = catalog_.find_by_id(gpid.app_id);
  if (now && now->is_available() &&
      (now->info.envs != opened.info.envs || now->info.app_name != opened.info.app_name))
    nodes_.apply_envs(now->info);
  co_return Result<void>();
}

void FollowerPartitions::table_dropped(int32_t app_id) {
  for (auto& [gpid, state] : fetched_)
    if (gpid.app_id == app_id) state.progress->cancelled = true;
}

bool FollowerPartitions::is_busy(int32_t app_id) const {
  const auto first = fetched_.lower_bound(Gpid{app_id, 0});
  return first != fetched_.end() && first->first.app_id == app_id;
}

std::string FollowerPartitions::status(int32_t app_id) const {
  auto partitions = nlohmann::ordered_json::object();
  for (const auto& [gpid, state] : fetched_)
    if (app_id == 0 || gpid.app_id == app_id)
      partitions[gpid.to_string()] = {{"done_bytes", state.progress->done_bytes.load()},
                                      {"all_bytes", state.progress->all_bytes.load()},
                                      {"attempts", state.attempts},
                                      {"error", state.error}};
  return base::json_text(partitions);
}

void FollowerPartitions::stop() { tasks_.stop(); }

Routine<> FollowerPartitions::join() {
  co_await tasks_.join();  // no result
}

}  // namespace pegmove::server::meta
