#include "server/meta/load/load_work.h"

#include <fmt/format.h>

#include <algorithm>

#include "async/for_each.h"

namespace pegmove::server::meta {
namespace {

using bulkload::LoadProgress;
using wire::ErrorCode;

constexpr size_t kLoadsAtOnce = 16;
constexpr async::milliseconds kWaitForNode{100};
constexpr async::milliseconds kWaitForDisk{5'000};

// The codes that clients get for a failed download; all others are ERR_UNKNOWN, as in Pegasus.
ErrorCode download_error(const Error& error) {
  switch (error.code()) {
    case Code::kNotFound:
    case Code::kCorrupt:
    case Code::kTooLarge: return ErrorCode::kCorruption;
    case Code::kRefused: return ErrorCode::kInconsistentState;
    case Code::kIo: return ErrorCode::kFileOperationFailed;
    default: return ErrorCode::kFsInternal;
  }
}

}  // namespace

std::optional<AppRecord> table_with_loading(const AppCatalog& catalog, int32_t app_id,
                                            bool is_loading) {
  const auto* app = catalog.find_by_id(app_id);
  if (!app || app->info.is_bulk_loading == is_loading) return std::nullopt;
  auto changed = *app;
  changed.info.__set_is_bulk_loading(is_loading);
  return changed;
}

void LoadWork::start(int32_t app_id) { context_.tasks.spawn(work(app_id)); }

void LoadWork::clean_up(int32_t app_id) { context_.tasks.spawn(clean(app_id)); }

bool LoadWork::cancel(int32_t app_id) {
  const auto found = active_.find(app_id);
  if (found == active_.end()) return false;
  for (auto& progress : found->second) progress->cancelled = true;
  return true;
}

const LoadWork::Progress* LoadWork::progress(int32_t app_id) const {
  const auto found = active_.find(app_id);
  return found == active_.end() ? nullptr : &found->second;
}

bulkload::LoadRequest LoadWork::request(const LoadRecord& record, int32_t partition) const {
  return {.gpid = {record.app_id, partition},
          .partition_count = int32_t(record.partitions.size()),
          .provider = record.provider,
          .place = record.place,
          .behind = record.behind,
          .load = record.load};
}

Result<int> LoadWork::node_of(int32_t app_id, int32_t partition) const {
  const auto* app = context_.catalog.find_by_id(app_id);
  if (!app || !app->is_available()) return fail(Code::kInterrupted, "the table was dropped");
  return app->partitions[size_t(partition)].node;
}

Routine<> LoadWork::work(int32_t app_id) {
  if (!find_load(records_, app_id)) co_return;  // removed with its table
  auto& partitions = active_[app_id];
  for (size_t i = 0; i < find_load(records_, app_id)->partitions.size(); ++i)
    partitions.push_back(std::make_shared<LoadProgress>());
  auto outcome = co_await carry_out(app_id);
  auto& held = find_load(records_, app_id)->writes_held_us;
  for (const auto& progress : active_.at(app_id))
    held = std::max(held, progress->writes_held_us.load());
  active_.erase(app_id);
  if (!outcome && context_.stopped()) co_return;  // resumed after the next start
  end(app_id, outcome);
  const auto status = find_load(records_, app_id)->status;
  MetaBatch batch;
  put_whole_load(batch, *find_load(records_, app_id));
  co_await context_.save(std::move(batch), "recording the end of a bulk load");  // no result
  if (status == wire::BLS_SUCCEED) context_.failpoint("load.success_noted");
  if (is_final(status)) co_await clean(app_id);  // no result
}

Task<> LoadWork::carry_out(int32_t app_id) {
  const auto count = find_load(records_, app_id)->partitions.size();
  if (find_load(records_, app_id)->status == wire::BLS_DOWNLOADING)
    CO_TRY(co_await async::for_each(
        count, kLoadsAtOnce, [this, app_id](size_t i) { return download(app_id, int32_t(i)); }));
  auto* record = find_load(records_, app_id);
  if (record->status != wire::BLS_DOWNLOADING && record->status != wire::BLS_INGESTING)
    co_return fail(Code::kInterrupted, "the load was stopped");
  record->status = wire::BLS_INGESTING;
  for (auto& partition : record->partitions)
    if (partition != wire::BLS_SUCCEED) partition = wire::BLS_INGESTING;
  MetaBatch batch;
  put_whole_load(batch, *record);
  if (!co_await context_.save(std::move(batch), "recording that files are ingested"))
    co_return fail(Code::kIo, "the load could not be recorded");
  if (record->status != wire::BLS_INGESTING)
    co_return fail(Code::kInterrupted, "the load was stopped");
  context_.failpoint("load.ingesting_noted");
  co_return co_await async::for_each(
      count, kLoadsAtOnce, [this, app_id](size_t i) { return ingest(app_id, int32_t(i)); });
}

Task<> LoadWork::wait_for_node(int32_t app_id, int32_t partition) {
  while (true) {
    const auto node = CO_TRY(node_of(app_id, partition));
    if (context_.nodes.serves(node, {app_id, partition})) co_return Result<void>();
    if (context_.stopped() || active_.at(app_id)[size_t(partition)]->cancelled)
      co_return fail(Code::kInterrupted, "the load was stopped");
    co_await context_.clock.sleep_for(kWaitForNode);  // no result
  }
}

Task<> LoadWork::download_once(int32_t app_id, int32_t partition,
                               std::shared_ptr<LoadProgress> progress) {
  CO_TRY(co_await wait_for_node(app_id, partition));
  co_return co_await context_.nodes.download_load(CO_TRY(node_of(app_id, partition)),
                                                  request(*find_load(records_, app_id), partition),
                                                  progress);
}

Task<> LoadWork::download(int32_t app_id, int32_t partition) {
  if (find_load(records_, app_id)->partitions[size_t(partition)] != wire::BLS_DOWNLOADING)
    co_return Result<void>();
  const auto progress = active_.at(app_id)[size_t(partition)];
  auto downloaded = co_await context_.patiently(
      "loading table " + find_load(records_, app_id)->table,
      [&] { return download_once(app_id, partition, progress); },
      [&] { return progress->cancelled.load(); },
      [&](const std::string& why) {
        if (auto* record = find_load(records_, app_id); record->status == wire::BLS_DOWNLOADING)
          record->reason = why;
      });
  if (downloaded) {
    CO_TRY(set_partition(app_id, partition, wire::BLS_DOWNLOADED));
    context_.failpoint("load.partition_downloaded");
    co_return Result<void>();
  }
  if (downloaded.error().code() != Code::kInterrupted) cancel(app_id);  // others need not continue
  co_return fail(
      std::move(downloaded.error()).with_context("partition " + std::to_string(partition)));
}

Task<> LoadWork::ingest_in_turn(int32_t app_id, int32_t partition, int node) {
  auto& turns = ingestions_.try_emplace(node, 1).first->second;
  turns.resize(ingestions_of_a_node_());
  const auto turn = co_await async::Permit::take(&turns);
  if (active_.at(app_id)[size_t(partition)]->cancelled)
    co_return fail(Code::kInterrupted, "the load was cancelled");
  auto ingested =
      co_await context_.nodes.ingest_load(node, request(*find_load(records_, app_id), partition),
                                          active_.at(app_id)[size_t(partition)]);
  turns.resize(ingestions_of_a_node_());
  co_return ingested;
}

Task<> LoadWork::ingest(int32_t app_id, int32_t partition) {
  if (find_load(records_, app_id)->partitions[size_t(partition)] == wire::BLS_SUCCEED)
    co_return Result<void>();
  CO_TRY(co_await wait_for_node(app_id, partition));
  CO_TRY(in_context(co_await ingest_in_turn(app_id, partition, CO_TRY(node_of(app_id, partition))),
                    "partition " + std::to_string(partition)));
  CO_TRY(set_partition(app_id, partition, wire::BLS_SUCCEED));
  context_.failpoint("load.partition_ingested");
  co_return Result<void>();
}

Result<void> LoadWork::set_partition(int32_t app_id, int32_t partition,
                                     wire::bulk_load_status status) {
  auto* record = find_load(records_, app_id);
  record->partitions[size_t(partition)] = status;
  MetaBatch batch;
  put_loaded_partition(batch, *record, size_t(partition));
  context_.save_soon(std::move(batch));  // if lost, the node finds that it is done
  const auto still =
      record->status == wire::BLS_DOWNLOADING || record->status == wire::BLS_INGESTING;
  if (!still) return fail(Code::kInterrupted, "the load was stopped");
  return {};
}

// Sets the status that follows from how the work ended, in memory.
void LoadWork::end(int32_t app_id, const Result<void>& outcome) {
  auto* record = find_load(records_, app_id);
  if (outcome) {
    record->status = wire::BLS_SUCCEED;
    record->reason.clear();
  } else if (record->status == wire::BLS_PAUSING) {
    record->status = wire::BLS_PAUSED;
    record->reason.clear();
    for (auto& partition : record->partitions)
      if (partition != wire::BLS_DOWNLOADED) partition = wire::BLS_PAUSED;
  } else if (record->status != wire::BLS_CANCELED) {
    const bool was_ingesting = record->status == wire::BLS_INGESTING;
    record->error = was_ingesting ? ErrorCode::kIngestionFailed : download_error(outcome.error());
    record->status = wire::BLS_FAILED;
    record->reason = outcome.error().to_string();
    record->reason += was_ingesting
                          ? "; some partitions may have the loaded rows and others may not: "
                            "create the table again and repeat the load"
                          : "; the table is as it was";
    std::ranges::fill(record->partitions, wire::BLS_FAILED);
    context_.log.error(fmt::format("loading table {}: {}", record->table, record->reason));
  }
}

Routine<> LoadWork::clean(int32_t app_id) {
  if (!find_load(records_, app_id)) co_return;
  const auto count = find_load(records_, app_id)->partitions.size();
  for (size_t i = 0; i < count && !context_.stopped(); ++i) {
    const auto node = node_of(app_id, int32_t(i));
    if (!node) break;  // they are removed with the table
    auto cleaned = co_await context_.nodes.clean_load(*node, {app_id, int32_t(i)});
    if (!cleaned) context_.log.error(cleaned.error().to_string());
    if (i == 0) context_.failpoint("load.partition_cleaned");
  }
  while (!context_.stopped() && !note_over(app_id))
    co_await context_.clock.sleep_for(kWaitForDisk);  // no result
}

// False when that could not be written: another load of the table would be refused.
bool LoadWork::note_over(int32_t app_id) {
  auto* record = find_load(records_, app_id);
  if (!record) return true;
  auto over = *record;
  over.is_over = true;
  over.end_ms = context_.now_ms();
  AppCatalog::Change change;
  if (auto table = table_with_loading(context_.catalog, app_id, false))
    change.apps.push_back(*std::move(table));
  put_load(change.also, over);
  if (auto noted = context_.catalog.commit(std::move(change)); !noted) {
    context_.log.error(
        std::move(noted.error()).with_context("recording that a bulk load is over").to_string());
    return false;
  }
  *record = std::move(over);
  context_.failpoint("load.end_noted");
  return true;
}

}  // namespace pegmove::server::meta
