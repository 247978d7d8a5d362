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

// Errors: kInvalidArgument with Pegasus's text.
Result<AppIdArgument> app_id_of(const HttpQuery& query) {
  auto found = query.arguments.find("app_id");
  if (found == query.arguments.end())
    return fail(Code::kInvalidArgument, "app_id should not be empty");
  const auto& text = found->second;
  AppIdArgument app{.text = text};
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, app.id);
  if (error != std::errc() || stop != end || app.id < 0)
    return fail(Code::kInvalidArgument, "invalid app_id=" + text);
  return app;
}

}  // namespace

void ReplicaNode::register_http() {
  auto& http = operations_.http;
  http.on("replica/duplication", "appid=<appid>", "Query the duplication status of an app.",
          [](const HttpQuery&) {
            return not_found("duplication is not enabled [FLAGS_duplication_enabled=false]");
          });
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

}  // namespace pegmove::server::replica
