#include "testing/fake_s3.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "base/percent.h"
#include "blockstore/digest.h"
#include "blockstore/s3_sign.h"

namespace pegmove::testing {
namespace {

using Texts = std::map<std::string, std::string>;
using Lists = FakeS3Options::Lists;
using Etags = FakeS3Options::Etags;

struct Request {
  std::string method, path, bucket, key, body;
  Texts query, headers;
};

struct Answer {
  int status = 200;
  std::string body = {};
  Texts headers = {};
};

struct Object {
  std::string bytes;
  std::string noted_md5;
};

std::string error_text(const std::string& code) {
  return fmt::format(
      "<?xml version=\"1.0\"?><Error><Code>{0}</Code><Message>{0} of a test</Message></Error>",
      code);
}

std::string word(std::string_view& text, char end) {
  const auto at = std::min(text.find(end), text.size());
  std::string out(text.substr(0, at));
  text.remove_prefix(std::min(at + 1, text.size()));
  return out;
}

std::string decoded(std::string_view text) { return base::percent_decode(text).value_or(""); }

// Reads a request; nothing at the end of the connection.
std::optional<Request> read_request(int client, std::string& buffer) {
  const auto more = [&] {
    char bytes[65536];
    const auto got = ::recv(client, bytes, sizeof bytes, 0);
    if (got > 0) buffer.append(bytes, size_t(got));
    return got > 0;
  };
  size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos)
    if (!more()) return std::nullopt;
  Request request;
  std::string_view head(buffer.data(), end + 2);
  request.method = word(head, ' ');
  auto target = word(head, ' ');
  word(head, '\n');
  while (!head.empty()) {
    auto line = word(head, '\n');
    line.pop_back();
    std::string_view rest = line;
    auto name = word(rest, ':');
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    request.headers[name] = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
  }
  const size_t length = request.headers.contains("content-length")
                            ? std::stoul(request.headers["content-length"])
                            : 0;
  while (buffer.size() < end + 4 + length)
    if (!more()) return std::nullopt;
  request.body = buffer.substr(end + 4, length);
  buffer.erase(0, end + 4 + length);
  std::string_view rest = target;
  request.path = word(rest, '?');
  while (!rest.empty()) {
    auto pair = word(rest, '&');
    std::string_view value = pair;
    const auto name = word(value, '=');
    request.query[decoded(name)] = decoded(value);
  }
  auto path = decoded(request.path);
  std::string_view parts = std::string_view(path).substr(1);
  request.bucket = word(parts, '/');
  request.key = parts;
  return request;
}

bool is_signed(const Request& request) {
  const auto header = [&](const std::string& name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::string() : found->second;
  };
  Texts others;
  auto names = header("authorization");
  names = names.substr(names.find("SignedHeaders=") + 14);
  names.resize(names.find(','));
  for (std::string_view rest = names; !rest.empty();)
    if (const auto name = word(rest, ';');
        name != "host" && !name.starts_with("x-amz-date") && !name.starts_with("x-amz-content"))
      others[name] = header(name);
  const auto wanted = blockstore::s3_sign({.method = request.method,
                                           .host = header("host"),
                                           .path = request.path,
                                           .query = request.query,
                                           .headers = others,
                                           .payload_sha256 = blockstore::sha256_hex(request.body)},
                                          {.access_key = "key", .secret_key = "secret"},
                                          "us-east-1", header("x-amz-date"));
  return wanted.at("authorization") == header("authorization");
}

}  // namespace

struct FakeS3::State {
  FakeS3Options options;
  uint16_t port = 0;
  int listener = -1;
  std::atomic<bool> is_ending = false;
  mutable std::mutex mutex;  // guards what follows
  std::map<std::string, Object> objects;
  std::map<int, std::string> parts;  // of the only upload
  std::map<std::string, int> requests;
  std::vector<int> clients;
  std::vector<std::thread> connections;
  std::thread acceptor;

  void accept_all() {
    while (!is_ending) {
      pollfd ready{.fd = listener, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 50) <= 0) continue;
      const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      const std::lock_guard lock(mutex);
      clients.push_back(client);
      connections.emplace_back([this, client] { serve(client); });
    }
  }

  void serve(int client) {
    std::string buffer;
    while (auto request = read_request(client, buffer)) {
      auto answer = answer_to(*request);
      std::string text = fmt::format("HTTP/1.1 {} X\r\n", answer.status);
      if (!answer.headers.contains("Content-Length"))
        answer.headers["Content-Length"] = std::to_string(answer.body.size());
      for (const auto& [name, value] : answer.headers)
        text += fmt::format("{}: {}\r\n", name, value);
      text += "\r\n" + answer.body;
      for (std::string_view left = text; !left.empty();) {
        const auto sent = ::send(client, left.data(), left.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        left.remove_prefix(size_t(sent));
      }
    }
  }

  Answer answer_to(const Request& request) {
    const std::lock_guard lock(mutex);
    ++requests[request.method];
    if (!is_signed(request)) return {.status = 403, .body = error_text("SignatureDoesNotMatch")};
    if (request.bucket != "bucket") return {.status = 404, .body = error_text("NoSuchBucket")};
    if (request.method == "PUT") return put(request);
    if (request.method == "POST") return post(request);
    if (request.method == "DELETE") return remove(request);
    if (request.key.empty()) return list(request);
    const auto found = objects.find(request.key);
    if (found == objects.end()) return {.status = 404, .body = error_text("NoSuchKey")};
    return request.method == "HEAD" ? head(found->second) : get(request, found->second);
  }

  std::string etag_of(const std::string& md5) const {
    if (options.etags == Etags::kNone) return "";
    return "\"" + (options.etags == Etags::kMd5 ? md5 : "0x8D<" + md5.substr(0, 9)) + "\"";
  }
  Texts with_etag(const std::string& md5) const {
    const auto etag = etag_of(md5);
    return etag.empty() ? Texts{} : Texts{{"ETag", etag}};
  }

  Answer put(const Request& request) {
    if (!options.put_error.empty()) return {.body = error_text(options.put_error)};
    const auto md5 = blockstore::md5_hex(request.body);
    const auto number = request.query.find("partNumber");
    if (number != request.query.end()) {
      parts[std::stoi(number->second)] = request.body;
    } else {
      const auto noted = request.headers.find("x-amz-meta-md5");
      objects[request.key] = {.bytes = request.body,
                              .noted_md5 = noted == request.headers.end() ? "" : noted->second};
    }
    return {.headers = with_etag(md5)};
  }

  Answer post(const Request& request) {
    if (request.query.contains("uploads"))
      return {.body =
                  "<InitiateMultipartUploadResult><UploadId>1</UploadId>"
                  "</InitiateMultipartUploadResult>"};
    if (!options.put_error.empty()) return {.body = error_text(options.put_error)};
    std::string bytes;
    size_t listed = 0;
    for (const auto& [number, part] : parts) {
      bytes += part;
      auto etag = etag_of(blockstore::md5_hex(part));
      if (etag.empty()) etag = "\"" + blockstore::md5_hex(part) + "\"";
      if (const auto less = etag.find('<'); less != std::string::npos)
        etag.replace(less, 1, "&lt;");
      listed += request.body.contains(
          fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number, etag));
    }
    if (listed != parts.size()) return {.status = 400, .body = error_text("InvalidPart")};
    parts.clear();
    objects[request.key] = {.bytes = std::move(bytes), .noted_md5 = ""};
    return {.body =
                "<CompleteMultipartUploadResult><ETag>&quot;0-2&quot;</ETag>"
                "</CompleteMultipartUploadResult>"};
  }

  Answer remove(const Request& request) {
    if (objects.erase(request.key) == 0 && options.has_no_such_key)
      return {.status = 404, .body = error_text("NoSuchKey")};
    return {.status = 204};
  }

  Answer head(const Object& object) const {
    auto headers = with_etag(blockstore::md5_hex(object.bytes));
    headers["Content-Length"] = std::to_string(object.bytes.size());
    if (!object.noted_md5.empty()) headers["x-amz-meta-md5"] = object.noted_md5;
    return {.headers = std::move(headers)};
  }

  static Answer get(const Request& request, const Object& object) {
    const auto range = request.headers.at("range");  // bytes=FROM-TO
    const auto from = std::stoul(range.substr(6));
    if (from >= object.bytes.size()) return {.status = 416};
    return {.status = 206,
            .body = object.bytes.substr(from,
                                        std::stoul(range.substr(range.find('-') + 1)) - from + 1)};
  }

  // One page. What comes after it begins behind its last name, key or common prefix.
  Answer list(const Request& request) const {
    const auto get = [&](const char* name) {
      const auto found = request.query.find(name);
      return found == request.query.end() ? std::string() : found->second;
    };
    const bool second = get("list-type") == "2" && options.lists != Lists::kFirstVersion;
    const auto prefix = get("prefix"), delimiter = get("delimiter");
    auto after = second ? get("continuation-token") : get("marker");
    if (options.lists == Lists::kCut) after = "";
    const auto most = std::min(options.page_keys, size_t(std::stoul(get("max-keys"))));
    std::string shown, last;
    size_t count = 0;
    bool is_cut = false;
    for (const auto& [key, object] : objects) {
      if (!key.starts_with(prefix)) continue;
      const auto end = delimiter.empty() ? std::string::npos : key.find(delimiter, prefix.size());
      const auto name = end == std::string::npos ? key : key.substr(0, end + 1);
      if (name <= after || name == last) continue;
      if ((is_cut = count == most)) break;
      ++count;
      last = name;
      shown += end == std::string::npos
                   ? fmt::format("<Contents><Key>{}</Key><Size>{}</Size></Contents>", name,
                                 object.bytes.size())
                   : fmt::format("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", name);
    }
    shown += fmt::format("<IsTruncated>{}</IsTruncated>", is_cut);
    if (is_cut && second && options.lists == Lists::kWhole)
      shown += fmt::format("<NextContinuationToken>{}</NextContinuationToken>", last);
    if (is_cut && !second && !delimiter.empty())
      shown += fmt::format("<NextMarker>{}</NextMarker>", last);
    return {.body = "<ListBucketResult>" + shown + "</ListBucketResult>"};
  }
};

FakeS3::FakeS3(FakeS3Options options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  state_->listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(state_->listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(state_->listener, 64) != 0 ||
      ::getsockname(state_->listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error("no port for a test's S3 server");
  state_->port = ntohs(address.sin_port);
  state_->acceptor = std::thread([state = state_.get()] { state->accept_all(); });
}

FakeS3::~FakeS3() {
  state_->is_ending = true;
  state_->acceptor.join();
  for (const int client : state_->clients) ::shutdown(client, SHUT_RDWR);
  for (auto& each : state_->connections) each.join();
  for (const int client : state_->clients) ::close(client);
  ::close(state_->listener);
}

std::string FakeS3::args() const { return fmt::format("http://127.0.0.1:{} bucket", state_->port); }

std::map<std::string, std::string> FakeS3::objects() const {
  const std::lock_guard lock(state_->mutex);
  std::map<std::string, std::string> bytes;
  for (const auto& [key, object] : state_->objects) bytes[key] = object.bytes;
  return bytes;
}

void FakeS3::set_object(const std::string& key, std::string bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->objects[key] = {.bytes = std::move(bytes), .noted_md5 = ""};
}

int FakeS3::requests(const std::string& method) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->requests.find(method);
  return found == state_->requests.end() ? 0 : found->second;
}

}  // namespace pegmove::testing
