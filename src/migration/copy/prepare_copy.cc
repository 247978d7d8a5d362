#include "migration/copy/prepare_copy.h"

#include <fmt/format.h>

namespace pegmove::migration {
namespace {

using async::milliseconds;

constexpr milliseconds kCreateTimeout{60'000};

// Sends no request when all envs already have their values.
Task<> set_missing_envs(client::Cluster& target, const std::string& table, EnvMap wanted,
                        milliseconds timeout) {
  auto deadline = Deadline::in(target.client().clock(), timeout);
  auto info = CO_TRY(co_await target.table_info(table, deadline));
  for (const auto& [name, value] : info.envs)
    if (auto found = wanted.find(name); found != wanted.end() && found->second == value)
      wanted.erase(found);
  if (wanted.empty()) co_return Result<void>();
  co_return in_context(co_await target.set_envs(table, wanted, deadline),
                       fmt::format("setting the app envs of the new table '{}'", table));
}

Task<> make_target(const Preflight& preflight) {
  auto& target = *preflight.target_cluster;
  const auto& options = preflight.options;
  const auto& source = *preflight.inspection.source.info;
  const auto& decisions = preflight.result.envs;
  auto deadline = Deadline::in(target.client().clock(), kCreateTimeout);
  if (!preflight.inspection.target.info) {
    client::CreateOptions create{
        .partition_count = options.partitions.value_or(source.partition_count),
        .replica_count = source.replica_count,
        .envs = envs_of(decisions, EnvFate::kAtCreation)};
    CO_TRY(co_await target.create_table(options.to_table, create, deadline));
  }
  CO_TRY(co_await target.wait_until_ready(options.to_table, {}, deadline));
  co_return co_await set_missing_envs(target, options.to_table,
                                      envs_of(decisions, EnvFate::kAfterCreation), options.timeout);
}

}  // namespace

Task<> finish_target(client::Table& target, EnvMap envs_after_copy, milliseconds timeout) {
  if (envs_after_copy.empty()) co_return Result<void>();
  co_return co_await set_missing_envs(target.cluster(), target.name(), std::move(envs_after_copy),
                                      timeout);
}

Task<PreparedCopy> prepare_copy(Preflight preflight) {
  if (!preflight.can_begin()) co_return fail(inspect::to_error(preflight.result.findings.all));
  const auto& options = preflight.options;
  if (options.create) CO_TRY(co_await make_target(preflight));
  if (!preflight.target)
    preflight.target = CO_TRY(co_await client::Table::open(
        preflight.target_cluster, options.to_table,
        Deadline::in(preflight.target_cluster->client().clock(), options.timeout)));
  PreparedCopy copy{.options = std::move(preflight.options),
                    .source = std::move(preflight.source),
                    .target = std::move(preflight.target),
                    .inspection = std::move(preflight.inspection),
                    .result = std::move(preflight.result)};
  copy.options.duplicate = copy.result.method.duplicate;
  co_return copy;
}

Task<PreparedCopy> prepare_copy(std::shared_ptr<client::Cluster> source,
                                std::shared_ptr<client::Cluster> target, CopyOptions options) {
  inspect::Side from{source->meta_list(), source}, to{target->meta_list(), target};
  auto preflight = co_await look_before_copy(std::move(from), std::move(to), std::move(options));
  co_return co_await prepare_copy(std::move(preflight));
}

}  // namespace pegmove::migration
