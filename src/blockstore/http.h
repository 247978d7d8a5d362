// HTTP requests that block, by libcurl: what HDFS and S3 are spoken to with.
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
  std::string_view body = {};             // alive until the call returns
  size_t most_reply_bytes = 8 << 20;      // of the body that is taken
  bool negotiate = false;                 // Kerberos, by SPNEGO, with the user's ticket
};

struct HttpAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string ticket_error = {};  // why there was no Kerberos ticket to show

  std::string header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct HttpOptions {
  std::chrono::seconds connect_timeout{10};
  std::chrono::seconds silence_timeout{30};  // so long without a byte in either direction
  std::string ca_file = {};                  // for https; "": the system's
};

// Keeps connections for the calls to come. Safe from any thread. libcurl has its own clock: its
// timeouts are the system's time.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {});
  ~HttpClient();

  // Any status is an answer; redirects are not followed. Errors: kUnreachable (no connection, or
  // it broke, or the answer ended early), kTimeout, kTooLarge, kInterrupted after stop(),
  // kInvalidArgument (no http or https URL), kUnsupported. They name host and port, not the query,
  // which may hold a token.
  Result<HttpAnswer> send(const HttpCall& call);
  void stop() { stopped_ = true; }

  static bool can_negotiate();  // whether this libcurl knows Kerberos

 private:
  struct Handles;
  HttpOptions options_;
  std::atomic<bool> stopped_ = false;
  std::unique_ptr<Handles> handles_;
};

// "30s", of 1 s to 1 h. Errors: kInvalidArgument.
Result<std::chrono::seconds> parse_silence(std::string_view text);

// "http://host:port" of a URL, for messages.
std::string host_of(std::string_view url);

}  // namespace pegmove::blockstore
