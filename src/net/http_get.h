// A GET over HTTP/1.1, as Pegasus's servers answer it on their RPC port (/metrics, /version, ...;
// src/http in Pegasus). No redirects, no TLS, one request per connection.
#pragma once

#include <cstddef>
#include <string>

#include "net/stream.h"

namespace pegmove::net {

struct HttpResponse {
  int status = 0;  // 200, 404, ...
  std::string body;
};

// /metrics of a node with a thousand partitions has a few MiB.
inline constexpr size_t kMaxHttpBody = size_t{64} << 20;

// `target` is the path with its query, as on the request line: "/metrics?types=server".
// Precondition: it begins with "/" and has no blanks or control characters. A reply of any status
// is not an error. Errors: kUnreachable, kTimeout after the deadline or when no connection was made
// within 3 seconds, kTooLarge for a body of more than `max_body` bytes, kProtocol for a reply that
// is not HTTP; all name the address.
Task<HttpResponse> http_get(Connector& connector, Clock& clock, Address to, std::string target,
                            Deadline deadline, size_t max_body = kMaxHttpBody);

}  // namespace pegmove::net
