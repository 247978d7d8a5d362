// Blocking HTTP requests with libcurl, for HDFS and S3.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::blockstore {

struct HttpCall {
  std::string method = "GET";
  std::string url = {};
  std::vector<std::string> headers = {};  // "Name: value"
  std::string_view body = {};             // must be valid until the call returns
  size_t most_reply_bytes = 8 << 20;      // of the body of the answer
  bool negotiate = false;                 // Kerberos, by SPNEGO, with the user's ticket
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string ticket_error = {};  // why there was no Kerberos ticket

  std::string header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct HttpOptions {
  std::chrono::seconds connect_timeout{10};
  std::chrono::seconds silence_timeout{30};  // this long without a byte in either direction
  std::string ca_file = {};                  // for https; "": the system's
};

// Keeps connections for later calls. Safe from any thread. libcurl has its own clock: its timeouts
// are in the system's time.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {});
  ~HttpClient();

  // Any status is an answer; redirects are not followed. Errors: kUnreachable (no connection, or it
  // broke, or the answer ended early), kTimeout, kTooLarge, kInterrupted after stop(),
  // kInvalidArgument (not an http or https URL), kUnsupported. They name host and port, not the
  // query, which may contain a token.
  Result<HttpAnswer> send(const HttpCall& call);
  void stop() { stopped_ = true; }

  static bool can_negotiate();  // whether this libcurl supports Kerberos

 private:
  struct Handles;
  HttpOptions options_;
  std::atomic<bool> stopped_ = false;
  std::unique_ptr<Handles> handles_;
};

// "30s", from 1 s to 1 h. Errors: kInvalidArgument.
Result<std::chrono::seconds> parse_silence(std::string_view text);

// "http://host:port" of a URL, for messages.
std::string host_of(std::string_view url);

}  // namespace pegmove::blockstore
