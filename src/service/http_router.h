// Maps the path of an HTTP request to its handler. Pegasus: src/http/http_server.cpp,
// http_call_registry.h, uri_decoder.cpp.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/result.h"
#include "net/http.h"

namespace pegmove::service {

// Runs work on another thread, soon; or at once, on the caller's.
using Runner = std::function<void(std::move_only_function<void()>)>;

struct HttpQuery {
  net::HttpMethod method = net::HttpMethod::kGet;
  std::string path;  // "meta/app": without the slashes around it
  std::map<std::string, std::string> arguments;
  std::string body;

  // Empty when it is missing.
  const std::string& argument(const std::string& name) const;
};

// Parses a target. The query is decoded as a whole and then split, as in Pegasus: an encoded & or =
// separates, too. An argument without = is empty. Errors: kInvalidArgument for broken escapes and
// repeated arguments; the text is Pegasus's.
Result<HttpQuery> parse_target(std::string_view target);

// Register everything first, then pass it to an RpcServer.
class HttpRouter : public net::HttpHandler {
 public:
  using Handler = std::function<net::HttpReply(const HttpQuery&)>;

  // Handlers run by `run`.
  explicit HttpRouter(Runner run) : run_(std::move(run)) {}

  // `path` without a slash at its beginning; parameters and help are shown to users.
  void on(std::string path, std::string parameters, std::string help, Handler handler);

  // The same for requests that cannot be answered at once: the handler keeps `http`, and replies
  // later.
  using LaterHandler = std::function<void(HttpQuery, net::IncomingHttp http)>;
  void on_later(std::string path, std::string parameters, std::string help, LaterHandler handler);

  // Answers a target that cannot be parsed 400, an unknown path 404.
  void handle(net::IncomingHttp http) override;

 private:
  struct Route {
    std::string help;
    LaterHandler handler;
  };
  void answer(net::IncomingHttp http) const;
  net::HttpReply list_all() const;

  Runner run_;
  std::map<std::string, Route> routes_;
};

net::HttpReply bad_request(std::string body);
net::HttpReply not_found(std::string body);

}  // namespace pegmove::service
