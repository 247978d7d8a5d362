// The HTTP handlers that every server has. Pegasus: src/http/builtin_http_calls.cpp,
// config_http_service.cpp, http_server.cpp, and metrics_http_service in src/utils/metrics.cpp.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_text.h"
#include "base/text.h"
#include "service/local_time.h"
#include "service/operations.h"
#include "service/table_json.h"

namespace pegmove::service {
namespace {

// The parts between commas that are not empty.
std::set<std::string> as_set(std::string_view text) {
  auto parts = base::split(text, ',');
  return {parts.begin(), parts.end()};
}

struct MetricsQuery {
  metrics::Filters filters;
  metrics::Fields fields;
};

// Errors: kInvalidArgument with Pegasus's text.
Result<MetricsQuery> parse_metrics_query(const HttpQuery& query) {
  MetricsQuery parsed;
  bool has_fields = false, detail = false;
  for (const auto& [name, value] : query.arguments) {
    if (name == "with_metric_fields") {
      parsed.fields = as_set(value);
      has_fields = true;
    } else if (name == "types") {
      parsed.filters.types = as_set(value);
    } else if (name == "ids") {
      parsed.filters.ids = as_set(value);
    } else if (name == "metrics") {
      parsed.filters.metrics = as_set(value);
    } else if (name == "attributes") {
      auto parts = base::split(value, ',');
      if (parts.size() % 2 != 0)
        return fail(Code::kInvalidArgument,
                    "the number of arguments for attributes should be even, since each attribute "
                    "name always pairs with a value");
      for (size_t i = 0; i < parts.size(); i += 2)
        parsed.filters.attributes.emplace_back(parts[i], parts[i + 1]);
    } else if (name == "detail") {
      auto wanted = parse_boolean(value);
      if (!wanted)
        return fail(Code::kInvalidArgument,
                    "the value of detail should be a boolean value, i.e. true or false");
      detail = *wanted;
    } else {
      return fail(Code::kInvalidArgument, fmt::format("unknown field {}={}", name, value));
    }
  }
  if (!has_fields && !detail) parsed.fields = metrics::brief_fields();
  return parsed;
}

net::HttpReply metrics_error(const std::string& message) {
  return bad_request(
      base::json_text(nlohmann::json{{"error_message", message}}, -1, base::NoUtf8::kReplace));
}

}  // namespace

net::HttpReply Operations::metrics_reply(const HttpQuery& query) {
  if (query.method != net::HttpMethod::kGet)
    return metrics_error("please use 'GET' method while querying for metrics");
  auto parsed = parse_metrics_query(query);
  if (!parsed) return metrics_error(parsed.error().message());
  set_memory();
  refresh();
  return {.body = metrics::to_json(source_, clock_.unix_us() * 1000,
                                   metrics.snapshot(parsed->filters), parsed->fields)};
}

void Operations::add_http() {
  http.on("version", "", "Get the server version.", [](const HttpQuery&) -> net::HttpReply {
    TableJson json;
    json.value("Version", kServerVersion).value("GitCommit", "pegmove-" PEGMOVE_VERSION);
    return {.body = std::move(json).take()};
  });
  http.on("recentStartTime", "", "Get the server start time.",
          [this](const HttpQuery&) -> net::HttpReply {
            TableJson json;
            json.value("RecentStartTime", local_date_time(started_unix_));
            return {.body = std::move(json).take()};
          });
  http.on("config", "name=<config_name>", "Gets one setting.",
          [this](const HttpQuery& query) -> net::HttpReply {
            for (const auto& [name, value] : query.arguments)
              if (name != "name") return bad_request("");
            const auto& name = query.argument("name");
            if (name.empty()) return bad_request("name shouldn't be empty");
            auto json = settings.to_json(name);
            return {.body = json ? *json
                                 : fmt::format("ERR_OBJECT_NOT_FOUND: '{}' is not found", name)};
          });
  http.on("configs", "", "Lists all settings.", [this](const HttpQuery& query) -> net::HttpReply {
    if (!query.arguments.empty()) return bad_request("");
    return {.body = settings.to_json()};
  });
  http.on("updateConfig", "<key>=<new_value>", "Update the config to the new value.",
          [this](const HttpQuery& query) -> net::HttpReply {
            std::string status = "ERR_OK";
            if (query.arguments.size() != 1) {
              status =
                  "ERR_INVALID_PARAMETERS: there should be exactly one config to be updated "
                  "once";
            } else {
              const auto& [name, value] = *query.arguments.begin();
              if (auto refused = settings.update(name, value)) status = refused->description();
            }
            TableJson json;
            json.value("update_status", status);
            return {.body = std::move(json).take()};
          });
  http.on("metrics",
          "[with_metric_fields=field1,field2,...][&types=type1,type2,...][&ids=id1,id2,...]"
          "[&attributes=attr1,value1,attr2,value2,...][&metrics=metric1,metric2,...]"
          "[&detail=true|false]",
          "Query the node metrics.",
          [this](const HttpQuery& query) { return metrics_reply(query); });
  http.on("metrics/prometheus", "", "All metrics in Prometheus's text format.",
          [this](const HttpQuery&) -> net::HttpReply {
            set_memory();
            refresh();
            return {.body = metrics::to_prometheus(source_, metrics.snapshot({})),
                    .content_type = "text/plain; version=0.0.4"};
          });
}

}  // namespace pegmove::service
