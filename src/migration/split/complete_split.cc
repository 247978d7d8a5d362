#include "migration/split/complete_split.h"

#include <fmt/format.h>

#include "backup/reader.h"
#include "inspect/gather.h"

namespace pegmove::migration {
namespace {

// One option: a given value must be the real one.
Result<void> resolve_option(const SplitRequest& request, const char* option, bool is_given,
                            int32_t& given, int32_t real) {
  if (is_given && given != real)
    return fail(Code::kInvalidArgument,
                fmt::format("{} {}: table '{}' of cluster '{}' has {}", option, given,
                            request.to.table, request.to.cluster, real));
  given = real;
  return {};
}

// Asks the cluster, if possible, about the table that will be loaded.
Task<> ask_target(const Ports& ports, const SplitQuestions& questions, SplitRequest& request) {
  request.data_version = questions.data_version < 0 ? 1 : questions.data_version;
  if (questions.target_metas.empty()) {
    if (request.to_app_id > 0 && request.to_partitions > 0) co_return Result<void>();
    co_return fail(
        Code::kInvalidArgument,
        fmt::format("cluster '{}' is not in the config file, so it cannot be asked about the "
                    "table; give --app-id and --partitions, as `app {}` in its shell shows them",
                    request.to.cluster, request.to.table));
  }
  auto cluster = CO_TRY(co_await ports.connect(questions.target_metas));
  const auto deadline = [&] { return Deadline::in(ports.clock, ports.timeout); };
  const auto table = CO_TRY(in_context(co_await cluster->table_info(request.to.table, deadline()),
                                       "the table to load must exist"));
  CO_TRY(resolve_option(request, "--partitions", request.to_partitions > 0, request.to_partitions,
                        table.partition_count));
  CO_TRY(
      resolve_option(request, "--app-id", request.to_app_id > 0, request.to_app_id, table.app_id));
  if (!request.for_old_servers)
    request.for_old_servers =
        CO_TRY(co_await inspect::find_older_server(*cluster, 2, 5, ports.timeout)).has_value();
  auto version = co_await inspect::data_version_of(*cluster, table.app_id, deadline());
  // With --data-version the servers need not answer.
  if (!version && questions.data_version < 0)
    co_return fail(std::move(version.error()).with_context("without --data-version"));
  if (!version) co_return Result<void>();
  co_return resolve_option(request, "--data-version", questions.data_version >= 0,
                           request.data_version, *version);
}

}  // namespace

Task<> complete_split(const Ports& ports, SplitQuestions questions, SplitRequest& request) {
  if (request.from_metas.empty()) {
    auto store = CO_TRY(ports.get_store(request.from_store));
    request.from = CO_TRY(co_await backup::find_backup(store, questions.path, questions.backup_id,
                                                       request.from.table));
    request.from_partitions =
        CO_TRY(co_await backup::read_table(store, request.from)).partition_count;
  } else {
    auto cluster = CO_TRY(co_await ports.connect(request.from_metas));
    const auto table = CO_TRY(
        co_await cluster->table_info(request.from.table, Deadline::in(ports.clock, ports.timeout)));
    request.from.app_id = table.app_id;
    request.from_partitions = table.partition_count;
  }
  co_return co_await ask_target(ports, questions, request);
}

}  // namespace pegmove::migration
