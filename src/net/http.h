// HTTP on the port of RPC: what is asked, what is answered, and who answers. A connection whose
// first four bytes are "GET " or "POST" speaks HTTP/1.1 for all its life. Pegasus:
// src/http/http_message_parser.cpp, http_server.cpp.
#pragma once

#include <memory>
#include <string>

#include "net/address.h"

namespace pegmove::net {

class ServerConnection;

enum class HttpMethod { kGet, kPost };

struct HttpRequest {
  HttpMethod method = HttpMethod::kGet;
  std::string target;  // as it came: "/meta/app?name=a%20b"
  std::string body;
  bool keep_alive = true;
};

struct HttpReply {
  int status = 200;  // 200, 307, 400, 404 or 500: what Pegasus answers
  std::string body = {};
  std::string location = {};  // of a 307
  std::string content_type = "text/plain";
};

// One request on its way to an answer. Move-only; may be answered from any thread, once. One that
// is destroyed unanswered is answered with status 500.
class IncomingHttp {
 public:
  IncomingHttp(std::shared_ptr<ServerConnection> connection, HttpRequest request);
  IncomingHttp(IncomingHttp&&) = default;
  IncomingHttp& operator=(IncomingHttp&&) = delete;
  ~IncomingHttp();

  const HttpRequest& request() const { return request_; }
  void reply(const HttpReply& reply);

 private:
  std::shared_ptr<ServerConnection> connection_;  // until it is answered; shared with its reader
  HttpRequest request_;
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // Called on the server's executor, one request of a connection at a time: the next comes when
  // this one is answered and its answer is sent. Must not block.
  virtual void handle(IncomingHttp http) = 0;
};

}  // namespace pegmove::net
