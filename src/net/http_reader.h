// Cuts the bytes of a connection into HTTP requests: private to this folder.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace pegmove::net {

// Whether a connection that begins with these bytes speaks HTTP; only GET and POST are supported.
bool begins_http(std::string_view bytes);

// The bytes of a reply.
std::string to_bytes(const HttpReply& reply);

class HttpReader {
 public:
  HttpReader(size_t max_header_size, size_t max_body_size);
  ~HttpReader();

  void add(std::string_view bytes);
  // The next whole request; nothing while it is incomplete. Errors: kProtocol when it is malformed
  // or neither GET nor POST, kTooLarge when its header or its body, claimed or sent, is larger than
  // allowed. The connection is then unusable.
  Result<std::optional<HttpRequest>> next();
  // Whether the beginning of a request has arrived; whether its whole header has.
  bool has_begun() const;
  bool has_header() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace pegmove::net
