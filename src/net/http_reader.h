// Cuts the bytes of a connection into HTTP requests: private to this folder.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "net/http.h"

namespace pegmove::net {

// Whether a connection that begins so speaks HTTP; other methods than these two are unknown here.
bool begins_http(std::string_view bytes);

// The bytes of a reply.
std::string to_bytes(const HttpReply& reply);

class HttpReader {
 public:
  HttpReader(size_t max_header_size, size_t max_body_size);
  ~HttpReader();

  void add(std::string_view bytes);
  // The next whole request; nothing while it is not whole.
  // Errors: kProtocol when it is malformed or neither GET nor POST, kTooLarge when its header or
  // its body, claimed or sent, is larger than allowed. The connection cannot go on then.
  Result<std::optional<HttpRequest>> next();
  // Whether the beginning of a request is there; whether its whole header is.
  bool has_begun() const;
  bool has_header() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace pegmove::net
