#include "backup/finish.h"

#include <fmt/format.h>

namespace pegmove::backup {
namespace {

Task<> check_is_abandoned(const blockstore::AsyncStore& store, Place place) {
  const auto refuse = [&](const char* why) {
    return fail(Code::kRefused,
                fmt::format("{}: {} cannot be finished: {}", store.store().description(),
                            place.table_folder(), why));
  };
  if (CO_TRY(co_await store.find(place.unfinished_file())).has_value())
    co_return refuse("an embedded cluster is making it, and continues it when it is started again");
  if (CO_TRY(co_await store.find(place.status_file())).has_value())
    co_return refuse(
        "it is of a policy, whose round the meta server continues when it is started again");
  co_return Result<void>();
}

}  // namespace

Task<VerifyReport> finish_backup(const blockstore::AsyncStore& store, Place place,
                                 FinishOptions options,
                                 std::function<void(const VerifyReport&)> on_progress) {
  CO_TRY(co_await check_is_abandoned(store, place));
  auto report = CO_TRY(
      co_await verify_table(store, place, {.has_ended = false, .should_stop = options.should_stop},
                            std::move(on_progress)));
  if (report.problem_count > 0 || CO_TRY(co_await read_info(store, place))) co_return report;
  // Real meta servers write the file before they set the time of the end.
  const auto start = options.start_time_ms > 0 ? options.start_time_ms : place.backup_id;
  const BackupInfo info{.backup_id = place.backup_id,
                        .start_time_ms = start,
                        .end_time_ms = 0,
                        .tables = {{place.app_id, place.table}}};
  CO_TRY(co_await store.write_file(place.info_file(), encode(info)));
  co_return report;
}

}  // namespace pegmove::backup
