#include "migration/load/load.h"

#include <algorithm>

#include "base/json_fields.h"
#include "base/units.h"
#include "migration/cold_backup/back_up.h"
#include "migration/journal_fields.h"
#include "migration/watch.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using base::number_in;
using client::LoadControl;
using client::LoadStatus;
using client::MetaLevel;
using Json = nlohmann::json;

constexpr milliseconds kBetweenLooks{300};
constexpr milliseconds kCancelWithin{600'000};
constexpr const char* kScenario = "rocksdb.usage_scenario";
constexpr const char* kBehind = "rocksdb.allow_ingest_behind";

std::string env_of(const client::TableInfo& table, const char* name) {
  const auto found = table.envs.find(name);
  return found == table.envs.end() ? "" : found->second;
}

// What the run found and what it has begun: its result while it works.
struct Begun {
  MetaLevel level = MetaLevel::kLively;  // before
  std::string scenario;                  // before; "": the env was not set
  bool started = false;                  // the cluster has answered that the load began
};

std::string to_json(const Begun& begun) {
  return Json{{"level", int(begun.level)}, {"scenario", begun.scenario}, {"started", begun.started}}
      .dump();
}

std::optional<Begun> read_begun(const std::string& text) {
  const auto in = Json::parse(text, nullptr, false);
  if (!in.is_object() || number_in(in, "level") < 0) return std::nullopt;
  return Begun{.level = MetaLevel(number_in(in, "level")),
               .scenario = base::text_in(in, "scenario"),
               .started = in.contains("started") && in["started"] == true};
}

// A loaded table compacts again; one that was not loaded gets back what it had, so that the next
// try finds it as this one did.
Task<> put_back(client::Cluster& cluster, LoadRun request, Begun begun, bool is_loaded) {
  const auto deadline = [&] { return Deadline::in(cluster.client().clock(), request.timeout); };
  const auto scenario = is_loaded || begun.scenario.empty() ? "normal" : begun.scenario;
  CO_TRY(co_await cluster.set_envs(request.load.table, {{kScenario, scenario}}, deadline()));
  const auto level = CO_TRY(co_await cluster.meta_level(deadline()));
  if (level != begun.level) CO_TRY(co_await cluster.set_meta_level(begun.level, deadline()));
  co_return Result<void>();
}

// Files of the set, each partition's.
Task<> check_set(const blockstore::AsyncStore& store, bulkload::Place place,
                 const client::TableInfo& table) {
  const auto info = CO_TRY(co_await bulkload::read_info(store, place));
  const auto wrong = [&](const char* what, int32_t in_file, int32_t real) {
    return fail(Code::kInvalidArgument, store.store().description() + ": " + place.info_file() +
                                            " is for a table with " + what + " " +
                                            std::to_string(in_file) + ", and table '" + table.name +
                                            "' has " + std::to_string(real));
  };
  if (info.app_id != table.app_id) co_return wrong("id", info.app_id, table.app_id);
  if (info.partition_count != table.partition_count)
    co_return wrong("partition count", info.partition_count, table.partition_count);
  for (int32_t partition = 0; partition < table.partition_count; ++partition) {
    const auto metadata = CO_TRY(co_await bulkload::read_metadata(store, place, partition));
    for (const auto& file : metadata.files) {
      const auto path = place.file(partition, file.name);
      const auto found = CO_TRY(co_await store.find(path));
      if (!found || found->is_folder)
        co_return fail(Code::kNotFound, store.store().description() + ": there is no " + path);
      if (found->size != file.size)
        co_return fail(Code::kCorrupt, store.store().description() + ": " + path + " has " +
                                           std::to_string(found->size) + " bytes and not " +
                                           std::to_string(file.size));
    }
  }
  co_return Result<void>();
}

class Loading : Watch<LoadProgress> {
 public:
  Loading(RunKeeper& run, client::Cluster& cluster, const LoadRun& request,
          std::vector<std::string> notes, const async::StopSignal& stop,
          const std::function<void(const LoadProgress&)>& on_progress)
      : Watch(run, cluster, request.timeout, stop, on_progress), request_(request) {
    report_.table = request.load.table;
    report_.behind = request.load.ingest_behind;
    report_.notes = std::move(notes);
  }

  Task<LoadReport> carry_out() {
    auto loaded = co_await begin();
    if (loaded) loaded = co_await watch();
    if (!is_under_way_ && is_noted_)
      CO_TRY(co_await put_back(cluster_, request_, begun_, loaded.has_value()));
    CO_TRY(std::move(loaded));
    report_.elapsed = elapsed();
    co_return std::move(report_);
  }

 private:
  Task<> begin() {
    const auto before = read_begun(run_.run().result);
    const auto& name = request_.load.table;
    if (before) {
      begun_ = *before;
    } else {
      begun_.level = CO_TRY(co_await cluster_.meta_level(deadline()));
      begun_.scenario = env_of(CO_TRY(co_await cluster_.table_info(name, deadline())), kScenario);
      CO_TRY(co_await run_.set_result(to_json(begun_)));
    }
    is_noted_ = true;
    if (begun_.started) co_return Result<void>();
    CO_TRY(co_await cluster_.set_envs(name, {{kScenario, "bulk_load"}}, deadline()));
    // One that runs already is this run's when its process was killed before it noted so.
    auto status = co_await client::load_status(cluster_, name, deadline());
    const bool runs = before && status && status->is_loading;
    if (!runs) CO_TRY(co_await client::start_load(cluster_, request_.load, deadline()));
    begun_.started = true;
    co_return co_await run_.set_result(to_json(begun_));
  }

  Task<> watch() {
    while (true) {
      is_under_way_ = true;
      auto status = co_await client::load_status(cluster_, request_.load.table, deadline());
      if (!status && status.error().wire_code()) {
        is_under_way_ = false;
        co_return fail(std::move(status.error()));
      }
      if (!status) co_return fail(std::move(status.error()));
      is_under_way_ = status->is_loading;
      tell_progress(*status);
      if (status->status == wire::BLS_SUCCEED && !is_under_way_) co_return co_await end_well();
      if (status->status == wire::BLS_CANCELED)
        co_return fail(Code::kInterrupted, "the load was cancelled on the cluster");
      if (!is_under_way_) co_return fail(Code::kRefused, "the load ended early: " + status->hint);
      if (stop_.requested() && !is_too_late_) CO_TRY(co_await give_up(status->status));
      co_await clock_.sleep_for(kBetweenLooks);  // no result
    }
  }

  // Embedded clusters tell how long writes were held.
  Task<> end_well() {
    auto told = CO_TRY(co_await ask_meta(cluster_, "bulk_load.status", {}, deadline()));
    const auto in = told ? Json::parse(*told, nullptr, false) : Json();
    if (in.is_array())
      for (const auto& load : in)
        if (load.is_object() && base::text_in(load, "table") == request_.load.table)
          report_.writes_held = milliseconds(number_in(load, "writes_held_us") / 1000);
    co_return Result<void>();
  }

  void tell_progress(const LoadStatus& status) {
    LoadProgress progress{.status = status.status,
                          .partitions = int32_t(status.partitions.size()),
                          .waits_for = status.is_loading ? status.hint : ""};
    const auto done =
        status.status == wire::BLS_DOWNLOADING ? wire::BLS_DOWNLOADED : wire::BLS_SUCCEED;
    int64_t sum = 0;
    for (const auto& partition : status.partitions) {
      progress.partitions_done += partition.status == done;
      for (const auto& replica : partition.replicas)
        sum += replica.percent / std::max(1, status.max_replica_count);
    }
    if (progress.partitions > 0) progress.percent = int32_t(sum / progress.partitions);
    report_.partitions = progress.partitions;
    run_.note({.lane = 0});
    run_.set_reason(progress.waits_for);
    tell(progress, !status.is_loading);
  }

  // Once the cluster takes files in, a cancelled load is watched to its end: what was set for it is
  // put back only then. Refused for another reason, or not heard, the cancel is repeated at the
  // next look.
  Task<> give_up(wire::bulk_load_status status) {
    if (!run_.is_cancelled())
      co_return fail(Code::kInterrupted, "the cluster goes on with the load by itself");
    auto cancelled = co_await client::control_load(cluster_, request_.load.table,
                                                   LoadControl::kCancel, deadline());
    if (cancelled) {
      is_under_way_ = false;
      co_return fail(Code::kInterrupted, "the load is cancelled; the table is as it was");
    }
    if (cancelled.error().code() == Code::kInterrupted) co_return cancelled;
    is_too_late_ = status == wire::BLS_DOWNLOADED || status == wire::BLS_INGESTING;
    if (is_too_late_)
      report_.notes.push_back("it was too late to cancel: the cluster took the files in already");
    co_return Result<void>();
  }

  const LoadRun& request_;
  Begun begun_;
  bool is_noted_ = false;  // how it was before
  bool is_under_way_ = false;
  bool is_too_late_ = false;  // to cancel it
  LoadReport report_;
};

Result<LoadRun> read_request(const Json& in) {
  if (!in.is_object()) return fail(Code::kCorrupt, "they are no JSON object");
  return LoadRun{.to_metas = TRY(read_text(in, "to_metas")),
                 .load = {.table = TRY(read_text(in, "table")),
                          .cluster = TRY(read_text(in, "cluster")),
                          .provider = TRY(read_text(in, "provider")),
                          .path = TRY(read_text(in, "path")),
                          .ingest_behind = TRY(read_flag(in, "ingest_behind"))},
                 .timeout = TRY(read_ms(in, "timeout_ms"))};
}

}  // namespace

std::string to_json(const LoadRun& request) {
  const auto& load = request.load;
  return Json{{"to_metas", request.to_metas},
              {"table", load.table},
              {"cluster", load.cluster},
              {"provider", load.provider},
              {"path", load.path},
              {"ingest_behind", load.ingest_behind},
              {"timeout_ms", request.timeout.count()}}
      .dump();
}

Result<LoadRun> load_run_from_json(std::string_view text) {
  return in_context(read_request(Json::parse(text, nullptr, false)),
                    "the journal's options of a load");
}

std::string to_line(const LoadProgress& progress) {
  const auto count = std::to_string(progress.partitions_done) + "/" +
                     std::to_string(progress.partitions) + " partitions";
  switch (progress.status) {
    case wire::BLS_DOWNLOADING:
      return "loading: " + std::to_string(progress.percent) + "% downloaded, " + count +
             (progress.waits_for.empty() ? "" : "; " + progress.waits_for);
    case wire::BLS_DOWNLOADED:
    case wire::BLS_INGESTING: return "loading: taking files in, " + count;
    case wire::BLS_PAUSING:
    case wire::BLS_PAUSED: return "loading: paused on the cluster; `restart_bulk_load` goes on";
    case wire::BLS_SUCCEED: return "loading: " + count + " have the rows";
    default: return "loading: " + std::to_string(int(progress.status));
  }
}

std::string to_json(const LoadReport& report) {
  nlohmann::ordered_json out{{"table", report.table},
                             {"partitions", report.partitions},
                             {"ingest_behind", report.behind},
                             {"notes", report.notes},
                             {"elapsed_ms", report.elapsed.count()}};
  if (report.writes_held) out["writes_held_ms"] = report.writes_held->count();
  return out.dump(2);
}

Task<std::vector<std::string>> check_load(client::Cluster& cluster, const LoadRun& request,
                                          const std::optional<blockstore::AsyncStore>& store) {
  const auto& load = request.load;
  const auto deadline = Deadline::in(cluster.client().clock(), request.timeout);
  const auto table = CO_TRY(co_await cluster.table_info(load.table, deadline));
  const auto refuse = [&](const std::string& why) {
    return fail(Code::kRefused,
                "table '" + load.table + "' of cluster '" + cluster.name() + "' " + why);
  };
  const bool is_embedded =
      CO_TRY(co_await ask_meta(cluster, "bulk_load.status", {}, deadline)).has_value();
  if (!is_embedded && table.replica_count < 2)
    co_return refuse(
        "has one replica a partition, and such a table cannot be bulk loaded by real servers when "
        "its files arrive quickly (they end with ERR_CORRUPTION): set_max_replica_count 3 first, "
        "or use `pegmove restore` or `pegmove copy`");
  if (load.ingest_behind && env_of(table, kBehind) != "true")
    co_return refuse(
        "was made without rocksdb.allow_ingest_behind=true: make it anew with "
        "`create NAME -e rocksdb.allow_ingest_behind=true,"
        "rocksdb.usage_scenario=bulk_load`");
  if (load.ingest_behind && env_of(table, kScenario) != "bulk_load")
    co_return refuse(
        "has not rocksdb.usage_scenario=bulk_load: if it was compacted since its "
        "first write, rows that clients deleted come back by a load behind; make it "
        "anew with that env, write to it, and load then");
  auto status = co_await client::load_status(cluster, load.table, deadline);
  if (status && status->is_loading) co_return refuse("is being loaded already");
  std::vector<std::string> notes;
  if (!store) {
    notes.push_back("the files were not looked at before, since [block_service." + load.provider +
                    "] is not in pegmove's own configuration");
    co_return notes;
  }
  CO_TRY(co_await check_set(*store, CO_TRY(bulkload::place_of(load.path, load.cluster, load.table)),
                            table));
  co_return notes;
}

Task<> cancel_load(client::Cluster& cluster, LoadRun request, std::string result) {
  const auto begun = read_begun(result);
  if (!begun) co_return Result<void>();
  auto& clock = cluster.client().clock();
  const auto& table = request.load.table;
  const auto deadline = [&] { return Deadline::in(clock, request.timeout); };
  auto status = CO_TRY(co_await client::load_status(cluster, table, deadline()));
  const bool was_loading = status.is_loading;
  const auto end = Deadline::in(clock, kCancelWithin);
  while (status.is_loading && status.status != wire::BLS_CANCELED) {
    auto cancelled =
        co_await client::control_load(cluster, table, LoadControl::kCancel, deadline());
    if (!cancelled && cancelled.error().code() != Code::kRefused) co_return cancelled;
    if (end.passed(clock))
      co_return fail(Code::kTimeout,
                     "the cluster goes on with the load; cancel again when it has ended, so that "
                     "what was set for it is put back");
    if (!cancelled) co_await clock.sleep_for(kBetweenLooks);  // no result
    status = CO_TRY(co_await client::load_status(cluster, table, deadline()));
  }
  // Without either it is the status of an earlier load.
  const bool is_ours = begun->started || was_loading;
  const bool is_loaded = is_ours && status.status == wire::BLS_SUCCEED;
  CO_TRY(co_await put_back(cluster, request, *begun, is_loaded));
  if (is_loaded)
    co_return fail(Code::kRefused,
                   "it was too late to cancel: table '" + table + "' has the loaded rows");
  co_return Result<void>();
}

Task<LoadReport> run_load(RunKeeper& run, std::shared_ptr<client::Cluster> cluster, LoadRun request,
                          std::vector<std::string> notes, const async::StopSignal& stop,
                          std::function<void(const LoadProgress&)> on_progress) {
  CO_TRY(co_await run.begin());
  Loading work(run, *cluster, request, std::move(notes), stop, on_progress);
  co_return co_await work.carry_out();
}

}  // namespace pegmove::migration
