#include "migration/back_up_and_load.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"
#include "migration/split/complete_split.h"

namespace pegmove::migration {
namespace {

using runs::StepContext;
using Json = nlohmann::ordered_json;

constexpr int64_t kMostLimitBytes = int64_t{1} << 60;

BackupRequest backup_of(const BackUpAndLoadRequest& request) {
  return {.from_metas = request.copy.from_metas,
          .table = request.copy.options.table,
          .provider = request.store,
          .path = request.path,
          .timeout = request.copy.options.timeout};
}

// What is not known before the backup is filled in by choose_split().
SplitRequest split_of(const BackUpAndLoadRequest& request) {
  return {.from_store = request.store,
          .from = {.root = "", .table = request.copy.options.table},
          .to_store = request.store,
          .to = {.root = request.split_path,
                 .cluster = request.cluster,
                 .table = request.copy.options.to_table},
          .limits = request.limits};
}

LoadRun load_of(const BackUpAndLoadRequest& request) {
  return {.to_metas = request.copy.to_metas,
          .load = {.table = request.copy.options.to_table,
                   .cluster = request.cluster,
                   .provider = request.store,
                   .path = request.split_path},
          .timeout = request.copy.options.timeout};
}

VerifyRequest verify_of(const BackUpAndLoadRequest& request) {
  return {
      .from_metas = request.copy.from_metas,
      .to_metas = request.copy.to_metas,
      .options = {.table = request.copy.options.table, .to_table = request.copy.options.to_table}};
}

// Chooses a folder that only this run uses.
BackUpAndLoadRequest with_split_path(BackUpAndLoadRequest request, const Clock& clock) {
  if (request.split_path.empty())
    request.split_path =
        fmt::format("{}pegmove_split_{}_{}", request.path.empty() ? "" : request.path + "/",
                    request.copy.options.table, clock.unix_us() / 1000);
  return request;
}

std::vector<runs::Step> only(std::vector<runs::Step> steps, std::string_view name) {
  std::erase_if(steps, [name](const auto& step) { return step.name != name; });
  return steps;
}

Result<BackUpAndLoadRequest> read_request(const nlohmann::json& json) {
  const auto in =
      TRY(base::JsonFields::of(json, "the journal's options of a copy through a backup"));
  return BackUpAndLoadRequest{
      .copy = TRY(copy_request_from_json(base::json_text((*TRY(in.any("copy")))))),
      .store = TRY(in.text("store")),
      .path = TRY(in.text("path")),
      .cluster = TRY(in.text("cluster")),
      .split_path = TRY(in.text("split_path")),
      .limits = {.units_at_once = int(TRY(in.integer("units_at_once", 1, 1024))),
                 .memory_bytes = TRY(in.integer("memory_bytes", 1, kMostLimitBytes)),
                 .disk_bytes = TRY(in.integer("disk_bytes", 1, kMostLimitBytes)),
                 .work_folder = TRY(in.text("work_folder"))}};
}

}  // namespace

std::vector<runs::Step> back_up_and_load(BackUpAndLoad& work) {
  std::vector<runs::Step> steps;
  runs::append(steps, only(copy_table(work.copy()), "make-target"));
  runs::append(steps, work.backup().steps());

  steps.push_back(work.choose_split());
  runs::append(steps, work.split().steps());

  steps.push_back(work.check_files());
  runs::append(steps, work.load().steps());
  runs::append(steps, only(copy_table(work.copy()), "finish-target"));

  runs::append(steps, work.verify().steps());
  return steps;
}

BackUpAndLoad::BackUpAndLoad(BackUpAndLoadRequest request, const Ports& ports, std::string from,
                             std::string to)
    : request_(with_split_path(std::move(request), ports.clock)),
      ports_(ports),
      copy_(request_.copy, ports, std::move(from), std::move(to)),
      backup_(backup_of(request_), ports),
      split_(split_of(request_), ports),
      load_(load_of(request_), ports),
      verify_(verify_of(request_), ports) {}

Task<runs::Assessment> BackUpAndLoad::open(runs::Purpose purpose) {
  auto assessment = CO_TRY(co_await copy_.open(purpose));
  if (assessment.refusal) co_return assessment;
  if (purpose == runs::Purpose::kBegin) CO_TRY(ports_.get_store(request_.store));
  const auto connect_only =
      purpose == runs::Purpose::kUndo ? runs::Purpose::kUndo : runs::Purpose::kResume;
  CO_TRY(co_await backup_.open(connect_only));
  CO_TRY(co_await load_.open(connect_only));
  request_.copy = copy_.request();
  co_return assessment;
}

std::string BackUpAndLoad::options() const { return to_json(request_); }

runs::Step BackUpAndLoad::choose_split() {
  return {.name = "choose-split",
          .does = "find out partition count, id and data version of the target table",
          .run = [this](StepContext) { return bind_split(); },
          .take = [this](const journal::StepRecord& record) -> Result<void> {
            if (!record.product.empty()) split_.bind(TRY(split_request_from_json(record.product)));
            return {};
          }};
}

Task<std::string> BackUpAndLoad::bind_split() {
  auto request = split_of(request_);
  CO_TRY(co_await complete_split(ports_,
                                 {.path = backup_.place().root,
                                  .backup_id = backup_.place().backup_id,
                                  .target_metas = request_.copy.to_metas},
                                 request));
  co_return to_json(request);
}

// Checks the real cluster's rules for loads, and every file of the set.
runs::Step BackUpAndLoad::check_files() {
  return {.name = "check-files",
          .does = "check the files, and whether the target table can be loaded",
          .run = [this](StepContext) { return check_before_load(); }};
}

Task<std::string> BackUpAndLoad::check_before_load() {
  auto cluster = CO_TRY(co_await ports_.connect(request_.copy.to_metas));
  std::optional<blockstore::AsyncStore> store;
  store.emplace(CO_TRY(ports_.get_store(request_.store)));
  CO_TRY(co_await check_load(*cluster, load_of(request_), store));
  co_return std::string();
}

// The comparison is the proof. Of the parts before it, those that this process carried out.
runs::Report BackUpAndLoad::report(const journal::Run& run) {
  const auto verify = verify_.report(run);
  Json out{{"id", run.id}, {"verification", base::parse_json<Json>(verify.json)}};
  auto stored = base::parse_json<Json>(verify.stored);
  std::string text;
  if (split_.made().files > 0) {
    const auto backup = backup_.report(run), split = split_.report(run), load = load_.report(run);
    out["backup"] = stored["backup"] = base::parse_json<Json>(backup.json);
    out["split"] = stored["split"] = base::parse_json<Json>(split.json);
    out["load"] = stored["load"] = base::parse_json<Json>(load.json);
    text = backup.text + split.text + load.text;
  }
  return {.stored = base::json_text(stored),
          .json = base::json_text(out, 2),
          .text = text + verify.text + "The backup and the files stay in " + request_.store +
                  "; remove the backup with `pegmove backups rm`, and the folder /" +
                  request_.split_path + " by hand.\n",
          .tables_differ = verify.tables_differ};
}

std::string to_json(const BackUpAndLoadRequest& request) {
  return base::json_text(Json{{"copy", base::parse_json<Json>(to_json(request.copy))},
                              {"store", request.store},
                              {"path", request.path},
                              {"cluster", request.cluster},
                              {"split_path", request.split_path},
                              {"units_at_once", request.limits.units_at_once},
                              {"memory_bytes", request.limits.memory_bytes},
                              {"disk_bytes", request.limits.disk_bytes},
                              {"work_folder", request.limits.work_folder}});
}

Result<BackUpAndLoadRequest> back_up_and_load_request_from_json(std::string_view text) {
  return read_request(base::parse_json<nlohmann::json>(text));
}

}  // namespace pegmove::migration
