#include "migration/move_files.h"

#include <fmt/format.h>

#include "migration/split/complete_split.h"

namespace pegmove::migration {
namespace {

using runs::StepContext;

BackupRequest backup_of(const MoveFilesRequest& request) {
  return {.from_metas = request.from_metas,
          .table = request.table,
          .provider = request.store,
          .path = request.path,
          .timeout = request.timeout};
}

// What is not known before the backup is filled in by bind_split().
SplitRequest split_of(const MoveFilesRequest& request) {
  return {.from_store = request.store,
          .from = {.root = "", .table = request.table},
          .to_store = request.store,
          .to = {.root = request.split_path, .cluster = request.cluster, .table = request.to_table},
          .limits = request.limits};
}

LoadRun load_of(const MoveFilesRequest& request) {
  return {.to_metas = request.to_metas,
          .load = {.table = request.to_table,
                   .cluster = request.cluster,
                   .provider = request.store,
                   .path = request.split_path,
                   .ingest_behind = request.ingest_behind},
          .timeout = request.timeout};
}

template <typename T, typename... Words>
Task<T> after_open(MoveFiles& files, std::function<Task<T>(StepContext, Words...)> act,
                   StepContext context, Words... words) {
  CO_TRY(co_await files.open());
  co_return co_await act(context, words...);
}

}  // namespace

std::string new_split_path(const std::string& path, const std::string& table, const Clock& clock) {
  return fmt::format("{}pegmove_split_{}_{}", path.empty() ? "" : path + "/", table,
                     clock.unix_us() / 1000);
}

MoveFiles::MoveFiles(MoveFilesRequest request, const Ports& ports)
    : request_(std::move(request)),
      ports_(ports),
      backup_(backup_of(request_), ports),
      split_(split_of(request_), ports),
      load_(load_of(request_), ports) {}

Task<> MoveFiles::open() {
  if (is_open_) co_return Result<void>();
  CO_TRY(co_await backup_.open(runs::Purpose::kResume));
  CO_TRY(co_await load_.open(runs::Purpose::kResume));
  is_open_ = true;
  co_return Result<void>();
}

// The step, with open() before whatever it does.
runs::Step MoveFiles::opened(runs::Step step) {
  if (step.run)
    step.run = [this, act = std::move(step.run)](StepContext context) {
      return after_open<std::string>(*this, act, context);
    };
  if (step.find_before)
    step.find_before = [this, act = std::move(step.find_before)](StepContext context) {
      return after_open<std::string>(*this, act, context);
    };
  if (step.find_product)
    step.find_product = [this, act = std::move(step.find_product)](StepContext context) {
      return after_open<std::optional<std::string>>(*this, act, context);
    };
  if (step.undo)
    step.undo = [this, act = std::move(step.undo)](StepContext context,
                                                   const journal::StepRecord& record) {
      return after_open<runs::Undone, const journal::StepRecord&>(*this, act, context, record);
    };
  return step;
}

std::vector<runs::Step> MoveFiles::back_up() {
  std::vector<runs::Step> steps;
  for (auto& step : backup_.steps()) steps.push_back(opened(std::move(step)));
  return steps;
}

std::vector<runs::Step> MoveFiles::split_and_load() {
  std::vector<runs::Step> steps;
  steps.push_back({.name = "choose-split",
                   .does = "find out partition count, id and data version of the target table",
                   .run = [this](StepContext) { return bind_split(); },
                   .take = [this](const journal::StepRecord& record) -> Result<void> {
                     if (!record.product.empty())
                       split_.bind(TRY(split_request_from_json(record.product)));
                     return {};
                   }});
  runs::append(steps, split_.steps());
  // The real cluster's rules for loads, and every file of the set.
  steps.push_back({.name = "check-files",
                   .does = "check the files, and whether the target table can be loaded",
                   .run = [this](StepContext) { return check_before_load(); }});
  for (auto& step : load_.steps()) steps.push_back(opened(std::move(step)));
  return steps;
}

Task<std::string> MoveFiles::bind_split() {
  auto request = split_of(request_);
  CO_TRY(co_await complete_split(ports_,
                                 {.path = backup_.place().root,
                                  .backup_id = backup_.place().backup_id,
                                  .target_metas = request_.to_metas},
                                 request));
  co_return to_json(request);
}

Task<std::string> MoveFiles::check_before_load() {
  auto cluster = CO_TRY(co_await ports_.connect(request_.to_metas));
  std::optional<blockstore::AsyncStore> store;
  store.emplace(CO_TRY(ports_.get_store(request_.store)));
  CO_TRY(co_await check_load(*cluster, load_of(request_), store));
  co_return std::string();
}

}  // namespace pegmove::migration
