#include "server/meta/backup_context.h"

namespace pegmove::server::meta {
namespace {

constexpr async::milliseconds kWaitForStore{5'000};

}  // namespace

BackupContext::BackupContext(asio::any_io_executor executor, AppCatalog& catalog, NodePort& nodes,
                             BackupBook book, BackupOptions options, Clock& clock, Logger log)
    : catalog(catalog),
      nodes(nodes),
      book(std::move(book)),
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
                                std::function<void(const std::string&)> tell) {
  bool has_waited = false;
  while (true) {
    auto outcome = co_await attempt();
    if (outcome || !blockstore::is_transient(outcome.error()) || stopped() || is_over()) {
      if (has_waited) tell("");
      co_return outcome;
    }
    const auto why = "it waits: " + outcome.error().to_string();
    log.warning(doing + ": " + why);
    tell(why);
    has_waited = true;
    co_await clock.sleep_for(kWaitForStore);  // no result
  }
}

bool BackupContext::save(std::string_view doing) {
  auto saved = book.save();
  if (!saved) log.error(std::move(saved.error()).with_context(std::string(doing)).to_string());
  return saved.has_value();
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
