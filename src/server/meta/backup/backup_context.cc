#include "server/meta/backup/backup_context.h"

#include <fmt/format.h>

namespace pegmove::server::meta {
namespace {

constexpr async::milliseconds kSoon{1'000};

}  // namespace

BackupContext::BackupContext(asio::any_io_executor executor, MetaStore& values, AppCatalog& catalog,
                             NodePort& nodes, BackupState records, BackupOptions options,
                             Clock& clock, Logger log)
    : values(values),
      catalog(catalog),
      nodes(nodes),
      records(std::move(records)),
      options(std::move(options)),
      clock(clock),
      log(std::move(log)),
      stores(this->options.providers, clock),
      tasks(executor) {}

void BackupContext::stop() {
  tasks.stop();
  stores.stop();
  nodes.stop_transfers();
}

Routine<> BackupContext::join() {
  co_await tasks.join();       // no result
  co_await flush_last_soon();  // no result
}

Result<blockstore::AsyncStore> BackupContext::store(const std::string& provider,
                                                    Patience patience) {
  const blockstore::RetryOptions retry{
      .retry_for = async::milliseconds(patience == Patience::kMinutes ? 600'000 : 0)};
  return blockstore::AsyncStore(TRY(stores.get(provider)), pool_, clock, retry);
}

Task<> BackupContext::write_envs(blockstore::AsyncStore store, backup::Place place,
                                 backup::BackupInfo info) const {
  backup::EnvsOfTables envs;
  for (const auto& [app_id, table] : info.tables)
    if (const auto* app = catalog.find_by_id(app_id))
      envs[table + "_" + std::to_string(app_id)] = app->info.envs;
  co_return co_await store.write_file(place.envs_file(), backup::encode_envs(envs));
}

Task<> BackupContext::patiently(std::string doing, std::function<Task<>()> attempt,
                                std::function<bool()> is_over,
                                std::function<void(const std::string&)> report) {
  bool has_waited = false;
  while (true) {
    auto outcome = co_await attempt();
    if (outcome || !blockstore::is_transient(outcome.error()) || stopped() || is_over()) {
      if (has_waited) report("");
      co_return outcome;
    }
    const auto why = "it waits: " + outcome.error().to_string();
    log.warning(fmt::format("{}: {}", doing, why));
    report(why);
    has_waited = true;
    co_await clock.sleep_for(kWaitForStore);  // no result
  }
}

bool BackupContext::is_saved(Result<void> outcome, std::string_view doing) const {
  if (!outcome) log.error(std::move(outcome.error()).with_context(std::string(doing)).to_string());
  return outcome.has_value();
}

// The batch is queued before anything waits.
Routine<bool> BackupContext::save(MetaBatch batch, std::string doing) {
  const auto ticket = values.add(std::move(batch));
  co_return is_saved(co_await saving_.run([&] { return values.flush(ticket); }), doing);
}

bool BackupContext::save_now(MetaBatch batch, std::string_view doing) {
  return is_saved(values.commit(std::move(batch)), doing);
}

void BackupContext::save_soon(MetaBatch batch) {
  last_soon_ = values.add(std::move(batch));
  if (!std::exchange(is_flushing_soon_, true)) tasks.spawn(flush_soon());
}

Routine<> BackupContext::flush_soon() {
  co_await clock.sleep_for(kSoon);  // no result
  is_flushing_soon_ = false;
  co_await flush_last_soon();  // no result
}

Routine<> BackupContext::flush_last_soon() {
  const auto last = std::exchange(last_soon_, nullptr);
  if (!last) co_return;
  is_saved(co_await saving_.run([&] { return values.flush(last); }),
           "recording the progress of jobs");
}

wire::ErrorCode wire_code_of(const Error& error) {
  using wire::ErrorCode;
  switch (error.code()) {
    case Code::kNotFound: return ErrorCode::kObjectNotFound;
    case Code::kInvalidArgument: return ErrorCode::kInvalidParameters;
    case Code::kCorrupt:
    case Code::kTooLarge: return ErrorCode::kCorruption;
    case Code::kTimeout:
    case Code::kUnreachable: return ErrorCode::kTimeout;
    case Code::kBusy: return ErrorCode::kBusy;
    case Code::kUnauthenticated:
    case Code::kRefused: return ErrorCode::kAclDeny;
    default: return ErrorCode::kFsInternal;
  }
}

}  // namespace pegmove::server::meta
