// The HTTP handlers of a replica server. Pegasus: src/replica/replica_http_service.cpp.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "server/replica/replica_node.h"

namespace pegmove::server::replica {
namespace {

using nlohmann::json;
using service::bad_request;
using service::HttpQuery;
using service::not_found;

struct AppIdArgument {
  std::string text;
  int32_t id = 0;
};

// `name`: "app_id", or "appid". Errors: kInvalidArgument with Pegasus's text.
Result<AppIdArgument> app_id_of(const HttpQuery& query, const std::string& name = "app_id") {
  auto found = query.arguments.find(name);
  if (found == query.arguments.end())
    return fail(Code::kInvalidArgument, name + " should not be empty");
  const auto& text = found->second;
  AppIdArgument app{.text = text};
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, app.id);
  if (error != std::errc() || stop != end || app.id < 0)
    return fail(Code::kInvalidArgument, fmt::format("invalid {}={}", name, text));
  return app;
}

// Pegasus: replica_duplicator_manager::get_duplication_states. What it does not have is added only
// where there is something to say.
json json_of(const DuplicationState& state, int64_t unix_us) {
  constexpr const char* kFailModes[] = {"FAIL_SLOW", "FAIL_SKIP", "FAIL_FAST"};
  const auto& [assignment, progress] = state;
  json shown{{"duplicating", assignment.ships},
             {"fail_mode", kFailModes[size_t(assignment.fail_mode)]},
             {"not_confirmed_mutations_num", progress.last_decree - assignment.confirmed_decree},
             {"not_duplicated_mutations_num", progress.last_decree - progress.shipped_decree},
             {"remote_app_name", assignment.remote_table}};
  if (progress.waiting_mutations > 0) {
    shown["backlog_mutations"] = progress.waiting_mutations;
    shown["backlog_bytes"] = progress.waiting_bytes;
    shown["backlog_ms"] = std::max<int64_t>(0, (unix_us - progress.oldest_timestamp_us) / 1000);
  }
  if (!progress.waits_for.empty()) shown["waits_for"] = progress.waits_for;
  if (!progress.error.empty()) shown["error"] = progress.error;
  return shown;
}

}  // namespace

void ReplicaNode::register_http() {
  auto& http = operations_.http;
  http.on("replica/duplication", "appid=<appid>", "Query the duplication status of an app.",
          [this](const HttpQuery& query) { return answer_duplication(query); });
  http.on("replica/data_version", "app_id=<app_id>", "Query the data version of an app.",
          [this](const HttpQuery& query) -> net::HttpReply {
            auto app = app_id_of(query);
            if (!app) return bad_request(app.error().message());
            json versions;
            for (const auto& [gpid, reached] : replicas_of(app->id))
              versions[std::to_string(gpid.partition_index)] = {
                  {"data_version", std::to_string(reached.replica->db().data_version())}};
            if (versions.empty()) return not_found(fmt::format("app_id={} not found", app->text));
            return {.body = base::json_text(versions)};
          });
  http.on("replica/manual_compaction", "app_id=<app_id>",
          "Query the manual compaction status of an app.",
          [this](const HttpQuery& query) -> net::HttpReply {
            auto app = app_id_of(query);
            if (!app) return bad_request(app.error().message());
            std::map<CompactionState, int> counts;
            for (const auto& [gpid, reached] : replicas_of(app->id))
              ++counts[reached.replica->compaction_state()];
            json status{{"idle", counts[CompactionState::kIdle]},
                        {"queuing", counts[CompactionState::kQueuing]},
                        {"running", counts[CompactionState::kRunning]},
                        {"finished", counts[CompactionState::kFinished]}};
            return {.body = base::json_text(json{{"status", std::move(status)}})};
          });
}

net::HttpReply ReplicaNode::answer_duplication(const HttpQuery& query) const {
  auto app = app_id_of(query, "appid");
  if (!app) return bad_request(app.error().message());
  bool has_primary = false;
  json by_id = json::object();
  for (const auto& [gpid, reached] : replicas_of(app->id > 0 ? app->id : -1)) {
    if (reached.secondary) continue;
    has_primary = true;
    for (const auto& state : duplications_.duplications(gpid))
      by_id[std::to_string(state.assignment.id)][gpid.to_string()] =
          json_of(state, clock_.unix_us());
  }
  if (!has_primary) return not_found(fmt::format("no primary for app [appid={}]", app->text));
  if (by_id.empty())
    return not_found(fmt::format("no duplication assigned for app [appid={}]", app->text));
  return {.body = base::json_text(by_id, -1, base::NoUtf8::kReplace)};
}

}  // namespace pegmove::server::replica
