#include "blockstore/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <mutex>

#include "base/units.h"

namespace pegmove::blockstore {
namespace {

// The state of the callbacks of one call.
struct CurlTransfer {
  const HttpCall& call;
  HttpAnswer answer;
  size_t sent = 0;
  bool is_too_large = false;
  const std::atomic<bool>& stopped;
};

size_t take_body(char* bytes, size_t, size_t count, void* user) {
  auto& transfer = *static_cast<CurlTransfer*>(user);
  if (transfer.answer.body.size() + count > transfer.call.most_reply_bytes) {
    transfer.is_too_large = true;
    return 0;
  }
  transfer.answer.body.append(bytes, count);
  return count;
}

size_t take_header(char* bytes, size_t, size_t count, void* user) {
  auto& transfer = *static_cast<CurlTransfer*>(user);
  std::string_view line(bytes, count);
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) transfer.answer.headers.clear();  // of a "100 Continue" before
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || transfer.answer.headers.size() > 200) return count;
  std::string name(line.substr(0, colon));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  auto value = line.substr(colon + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  transfer.answer.headers[name] = value;
  return count;
}

size_t give_body(char* to, size_t, size_t room, void* user) {
  auto& transfer = *static_cast<CurlTransfer*>(user);
  const auto count = transfer.call.body.copy(to, room, transfer.sent);
  transfer.sent += count;
  return count;
}

// curl reports the reason for a missing ticket only to a debug callback.
int listen(CURL*, curl_infotype type, char* bytes, size_t count, void* user) {
  constexpr std::string_view kNoTicket = "gss_init_sec_context() failed: ";
  std::string_view line(bytes, count);
  if (type != CURLINFO_TEXT || !line.starts_with(kNoTicket)) return 0;
  line.remove_prefix(kNoTicket.size());
  while (line.ends_with('\n') || line.ends_with(' ') || line.ends_with('.')) line.remove_suffix(1);
  static_cast<CurlTransfer*>(user)->answer.ticket_error = line;
  return 0;
}

int rewind_body(void* user, curl_off_t offset, int) {
  static_cast<CurlTransfer*>(user)->sent = size_t(offset);
  return CURL_SEEKFUNC_OK;
}

int look_at_stop(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<CurlTransfer*>(user)->stopped ? 1 : 0;
}

Code code_of_curl(CURLcode result) {
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT: return Code::kTimeout;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT: return Code::kInvalidArgument;
    case CURLE_ABORTED_BY_CALLBACK: return Code::kInterrupted;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return Code::kUnauthenticated;
    default: return Code::kUnreachable;
  }
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, FreeList>;

void add_header(Headers& headers, const std::string& line) {
  headers.reset(curl_slist_append(headers.release(), line.c_str()));
}

void set_up(CURL* curl, const HttpOptions& options, const HttpCall& call, CurlTransfer& transfer,
            Headers& headers) {
  curl_easy_setopt(curl, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, long(options.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, long(options.silence_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
  if (!options.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
  if (call.negotiate) {
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_NEGOTIATE);
    curl_easy_setopt(curl, CURLOPT_USERPWD, ":");
    curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, listen);
    curl_easy_setopt(curl, CURLOPT_DEBUGDATA, &transfer);
  }
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, look_at_stop);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  add_header(headers, "Expect:");  // a body is sent at once
  if (call.method == "PUT" || call.method == "POST") {
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
    curl_easy_setopt(curl, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, rewind_body);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, &transfer);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, curl_off_t(call.body.size()));
  }
  if (call.method == "HEAD")
    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
  else
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  for (const auto& line : call.headers) add_header(headers, line);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
}

}  // namespace

// Connections belong to handles; a handle is for one call at a time.
struct HttpClient::Handles {
  std::mutex mutex;
  std::vector<CURL*> idle;

  CURL* take() {
    {
      std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto* curl = idle.back();
        idle.pop_back();
        return curl;
      }
    }
    auto* curl = curl_easy_init();
    if (!curl) throw std::bad_alloc();
    return curl;
  }
  void give_back(CURL* curl) {
    curl_easy_reset(curl);  // keeps the connections
    std::lock_guard lock(mutex);
    idle.push_back(curl);
  }
  ~Handles() {
    for (auto* curl : idle) curl_easy_cleanup(curl);
  }
};

HttpClient::HttpClient(HttpOptions options)
    : options_(std::move(options)), handles_(std::make_unique<Handles>()) {}
HttpClient::~HttpClient() = default;

bool HttpClient::can_negotiate() {
  return (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_SPNEGO) != 0;
}

Result<HttpAnswer> HttpClient::send(const HttpCall& call) {
  if (stopped_) return fail(Code::kInterrupted, "stopped");
  CurlTransfer transfer{.call = call, .answer = {}, .stopped = stopped_};
  char text[CURL_ERROR_SIZE] = "";
  Headers headers;
  auto* curl = handles_->take();
  set_up(curl, options_, call, transfer, headers);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
  const auto result = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  handles_->give_back(curl);
  transfer.answer.status = int(status);
  if (result == CURLE_OK) return std::move(transfer.answer);
  const auto whom = fmt::format("{} to {}: ", call.method, host_of(call.url));
  if (transfer.is_too_large)
    return fail(Code::kTooLarge,
                fmt::format("{}the answer has more than {} bytes", whom, call.most_reply_bytes));
  return fail(code_of_curl(result), whom + (*text ? text : curl_easy_strerror(result)));
}

Result<std::chrono::seconds> parse_silence(std::string_view text) {
  const auto length = TRY(in_context(base::parse_duration(text), "timeout"));
  if (length < std::chrono::seconds(1) || length > std::chrono::hours(1))
    return fail(Code::kInvalidArgument, fmt::format("timeout: {} is not from 1s to 1h", text));
  return std::chrono::duration_cast<std::chrono::seconds>(length);
}

std::string host_of(std::string_view url) {
  const auto host = url.find("://");
  if (host == std::string_view::npos) return std::string(url.substr(0, url.find_first_of("/?")));
  return std::string(url.substr(0, url.find_first_of("/?", host + 3)));
}

}  // namespace pegmove::blockstore
