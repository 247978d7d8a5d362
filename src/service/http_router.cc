#include "service/http_router.h"

#include <fmt/format.h>

#include "base/percent.h"
#include "service/table_json.h"

namespace pegmove::service {
namespace {

// The parts that are not empty.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    auto end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

}  // namespace

const std::string& HttpQuery::argument(const std::string& name) const {
  static const std::string kNone;
  auto found = arguments.find(name);
  return found == arguments.end() ? kNone : found->second;
}

Result<HttpQuery> parse_target(std::string_view target) {
  target = target.substr(0, target.find('#'));
  constexpr std::string_view kScheme = "http://";
  if (target.starts_with(kScheme)) {  // the form of requests to proxies
    auto slash = target.find('/', kScheme.size());
    target = slash == std::string_view::npos ? "/" : target.substr(slash);
  }
  auto mark = target.find('?');
  // Real servers have a zero byte after the path while they decode it: an incomplete escape may be
  // at the end.
  auto path = TRY(base::percent_decode(std::string(target.substr(0, mark)) + '\0'));
  path.pop_back();
  HttpQuery query;
  for (auto part : split(path, '/')) {
    if (!query.path.empty()) query.path += '/';
    query.path += part;
  }
  if (mark == std::string_view::npos) return query;
  auto arguments = TRY(base::percent_decode(target.substr(mark + 1)));
  for (auto argument : split(arguments, '&')) {
    auto equals = argument.find('=');
    std::string name(argument.substr(0, equals));
    if (equals == std::string_view::npos) {
      query.arguments.emplace(std::move(name), "");
      continue;
    }
    if (query.arguments.contains(name))
      return fail(Code::kInvalidArgument, "duplicate parameter: " + name);
    query.arguments.emplace(std::move(name), argument.substr(equals + 1));
  }
  return query;
}

net::HttpReply bad_request(std::string body) { return {.status = 400, .body = std::move(body)}; }
net::HttpReply not_found(std::string body) { return {.status = 404, .body = std::move(body)}; }

void HttpRouter::on(std::string path, std::string parameters, std::string help, Handler handler) {
  on_later(std::move(path), std::move(parameters), std::move(help),
           [handler = std::move(handler)](const HttpQuery& query, net::IncomingHttp http) {
             http.reply(handler(query));
           });
}

void HttpRouter::on_later(std::string path, std::string parameters, std::string help,
                          LaterHandler handler) {
  if (!parameters.empty()) parameters += ". ";
  routes_[std::move(path)] = {parameters + help, std::move(handler)};
}

void HttpRouter::handle(net::IncomingHttp http) {
  run_([this, http = std::move(http)]() mutable { answer(std::move(http)); });
}

void HttpRouter::answer(net::IncomingHttp http) const {
  const auto& request = http.request();
  auto query = parse_target(request.target);
  if (!query)
    return http.reply(
        bad_request("failed to parse request: ERR_INVALID_PARAMETERS: " + query.error().message()));
  query->method = request.method;
  query->body = request.body;
  if (query->path.empty()) return http.reply(list_all());
  auto found = routes_.find(query->path);
  if (found == routes_.end())
    return http.reply(not_found(fmt::format("service not found for \"{}\"", query->path)));
  found->second.handler(*std::move(query), std::move(http));
}

net::HttpReply HttpRouter::list_all() const {
  TableJson json;
  json.value("/", "List all supported calls.");
  for (const auto& [path, route] : routes_) json.value("/" + path, route.help);
  return {.body = std::move(json).take()};
}

}  // namespace pegmove::service
