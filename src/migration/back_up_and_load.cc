#include "migration/back_up_and_load.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"

namespace pegmove::migration {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kMostLimitBytes = int64_t{1} << 60;

MoveFilesRequest files_of(const BackUpAndLoadRequest& request) {
  return {.from_metas = request.copy.from_metas,
          .to_metas = request.copy.to_metas,
          .table = request.copy.options.table,
          .to_table = request.copy.options.to_table,
          .store = request.store,
          .path = request.path,
          .cluster = request.cluster,
          .split_path = request.split_path,
          .limits = request.limits,
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
    request.split_path = new_split_path(request.path, request.copy.options.table, clock);
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
  runs::append(steps, work.files().back_up());
  runs::append(steps, work.files().split_and_load());
  runs::append(steps, only(copy_table(work.copy()), "finish-target"));

  runs::append(steps, work.verify().steps());
  return steps;
}

BackUpAndLoad::BackUpAndLoad(BackUpAndLoadRequest request, const Ports& ports, std::string from,
                             std::string to)
    : request_(with_split_path(std::move(request), ports.clock)),
      ports_(ports),
      copy_(request_.copy, ports, std::move(from), std::move(to)),
      files_(files_of(request_), ports),
      verify_(verify_of(request_), ports) {}

Task<runs::Assessment> BackUpAndLoad::open(runs::Purpose purpose) {
  auto assessment = CO_TRY(co_await copy_.open(purpose));
  if (assessment.refusal) co_return assessment;
  if (purpose == runs::Purpose::kBegin) CO_TRY(ports_.get_store(request_.store));
  CO_TRY(co_await files_.open());
  request_.copy = copy_.request();
  co_return assessment;
}

std::string BackUpAndLoad::options() const { return to_json(request_); }

// The comparison is the proof. Of the parts before it, those that this process carried out.
runs::Report BackUpAndLoad::report(const journal::Run& run) {
  const auto verify = verify_.report(run);
  Json out{{"id", run.id}, {"verification", base::parse_json<Json>(verify.json)}};
  auto stored = base::parse_json<Json>(verify.stored);
  std::string text;
  if (files_.split().made().files > 0) {
    const auto backup = files_.backup().report(run), split = files_.split().report(run),
               load = files_.load().report(run);
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
