// HTTP on the RPC port: requests, replies, and handlers. A connection whose first four bytes are
// "GET " or "POST" speaks HTTP/1.1 until it is closed. Pegasus: src/http/http_message_parser.cpp,
// http_server.cpp.
#pragma once

#include <memory>
#include <string>

#include "net/address.h"

namespace pegmove::net {

class ServerConnection;

enum class HttpMethod { kGet, kPost };

struct HttpRequest {
  HttpMethod method = HttpMethod::kGet;
  std::string target;  // as received: "/meta/app?name=a%20b"
  std::string body;
  bool keep_alive = true;
};

struct HttpReply {
  int status = 200;  // 200, 307, 400, 404 or 500, as in Pegasus
  std::string body = {};
  std::string location = {};  // of a 307
  std::string content_type = "text/plain";
};

// A request that waits for its reply. Move-only; may be answered from any thread, once. If it is
// destroyed unanswered, the reply has status 500.
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
  // Called on the server's executor, one request per connection at a time: the next one follows
  // when the reply to this one has been sent. Must not block.
  virtual void handle(IncomingHttp http) = 0;
};

}  // namespace pegmove::net
