#include "blockstore/s3_bucket.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <pugixml.hpp>
#include <utility>

#include "base/bytes.h"
#include "base/percent.h"
#include "blockstore/digest.h"

namespace pegmove::blockstore {
namespace {

constexpr size_t kPageKeys = 1000;  // the most that S3 lists at once

std::string time_text(const Clock& clock) {
  const std::time_t now = clock.unix_seconds();
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return text;
}

Code code_of_s3(int status, std::string_view code) {
  if (code == "SlowDown" || code == "InternalError" || code == "ServiceUnavailable" ||
      status == 429 || status == 500 || status == 502 || status == 503 || status == 504)
    return Code::kBusy;
  if (code == "RequestTimeout") return Code::kTimeout;
  if (code == "BadDigest" || code == "XAmzContentSHA256Mismatch") return Code::kCorrupt;
  if (code == "SignatureDoesNotMatch" || code == "InvalidAccessKeyId" || status == 401)
    return Code::kUnauthenticated;
  if (code == "NoSuchBucket") return Code::kInvalidArgument;
  // With the status of a success, the code alone says it.
  if (status == 404 || code == "NoSuchKey") return Code::kNotFound;
  if (status == 403 || code == "AccessDenied") return Code::kRefused;
  return Code::kIo;
}

// An <Error>; no node when the text is something else.
pugi::xml_node error_in(std::string_view text, pugi::xml_document& xml) {
  if (!xml.load_buffer(text.data(), text.size())) return {};
  return xml.child("Error");
}

// Collects the pages of a list.
class KeyList {
 public:
  KeyList(std::string prefix, const std::string& delimiter, size_t page_keys)
      : prefix_(std::move(prefix)),
        query_{{"list-type", "2"}, {"prefix", prefix_}, {"max-keys", std::to_string(page_keys)}} {
    if (!delimiter.empty()) query_["delimiter"] = delimiter;
  }

  const S3Bucket::Query& query() const { return query_; }
  size_t size() const { return entries_.size(); }

  // Returns whether there are more pages: query() then asks for the next one.
  Result<bool> take(const std::string& body) {
    pugi::xml_document xml;
    const auto parsed = xml.load_buffer(body.data(), body.size());
    const auto page = xml.child("ListBucketResult");
    if (!parsed || !page) return fail(Code::kProtocol, "S3's list of keys cannot be parsed");
    const auto known = entries_.size();
    std::string last;
    for (const auto& file : page.children("Contents"))
      TRY(add(file.child_value("Key"), false, file.child("Size").text().as_llong(), last));
    for (const auto& folder : page.children("CommonPrefixes"))
      TRY(add(folder.child_value("Prefix"), true, 0, last));
    if (!page.child("IsTruncated").text().as_bool()) return false;
    TRY(turn_page(page, last, entries_.size() > known));
    return true;
  }

  std::vector<Entry> entries() && {
    std::vector<Entry> listed;
    for (auto& [name, entry] : entries_) listed.push_back(std::move(entry));
    return listed;
  }

 private:
  Result<void> add(std::string key, bool is_folder, int64_t size, std::string& last) {
    if (!key.starts_with(prefix_))
      return fail(Code::kProtocol, fmt::format("S3 lists the key {}, which was not requested",
                                               base::printable(key)));
    last = std::max(last, key);
    key.erase(0, prefix_.size());
    if (is_folder && key.ends_with('/')) key.pop_back();
    if (key.empty()) return {};  // an object with the name of the folder
    Entry entry{.name = key, .is_folder = is_folder, .size = size};
    entries_.try_emplace({std::move(key), is_folder}, std::move(entry));
    return {};
  }

  Result<void> turn_page(const pugi::xml_node& page, const std::string& last, bool has_new_keys) {
    std::string token = page.child_value("NextContinuationToken");
    if (!token.empty() && token != query_["continuation-token"]) {
      query_["continuation-token"] = std::move(token);
      return {};
    }
    std::string marker = page.child_value("NextMarker");  // may be missing: then it is the last key
    if (marker.empty()) marker = last;
    if (marker.empty() || !has_new_keys)
      return fail(
          Code::kProtocol,
          fmt::format("the server lists only some of the keys, up to {}, and gives no "
                      "usable NextContinuationToken or NextMarker for the others; use an S3 "
                      "server whose ListObjectsV2 returns all keys",
                      last.empty() ? "none" : base::printable(last)));
    query_.erase("list-type");
    query_.erase("continuation-token");
    query_["marker"] = std::move(marker);
    return {};
  }

  std::string prefix_;
  S3Bucket::Query query_;
  std::map<std::pair<std::string, bool>, Entry> entries_;  // a file and a folder may share a name
};

}  // namespace

Error s3_error(const HttpAnswer& answer) {
  pugi::xml_document xml;
  const auto error = error_in(answer.body, xml);
  const std::string code = error.child_value("Code");
  const auto message = std::string(error.child_value("Message")).substr(0, 300);
  std::string text = "HTTP status " + std::to_string(answer.status);
  if (!code.empty()) text += ", " + code;
  if (!message.empty()) text += ": " + message;
  return {code_of_s3(answer.status, code), text};
}

S3Bucket::S3Bucket(S3Options options, const Clock& clock)
    : options_(std::move(options)),
      host_((options_.virtual_host ? options_.bucket + "." : "") + s3_host(options_.endpoint)),
      clock_(clock),
      http_({.silence_timeout = options_.silence_timeout, .ca_file = options_.ca_file}) {}

Result<HttpAnswer> S3Bucket::send(const std::string& method, const std::string& key,
                                  const Query& query, std::string_view body, const Headers& headers,
                                  size_t most_reply_bytes) {
  S3Request request{.method = method,
                    .host = host_,
                    .path = options_.virtual_host ? "/" : "/" + options_.bucket,
                    .query = query,
                    .headers = headers,
                    .payload_sha256 = sha256_hex(body)};
  if (!key.empty())
    request.path += (options_.virtual_host ? "" : "/") + base::percent_encode(key, true);
  const auto scheme = options_.endpoint.substr(0, options_.endpoint.find("://") + 3);
  HttpCall call{.method = method,
                .url = scheme + host_ + request.path,
                .body = body,
                .most_reply_bytes = most_reply_bytes};
  if (!query.empty()) call.url += "?" + s3_query(query);
  for (const auto& [name, value] :
       s3_sign(request, options_.credentials, options_.region, time_text(clock_)))
    call.headers.push_back(name + ": " + value);
  return http_.send(call);
}

Result<HttpAnswer> S3Bucket::ask(const std::string& method, const std::string& key,
                                 const Query& query, std::string_view body,
                                 const Headers& headers) {
  auto answer = TRY(send(method, key, query, body, headers));
  pugi::xml_document xml;
  if (answer.status >= 300 || error_in(answer.body, xml)) return fail(s3_error(answer));
  return answer;
}

Result<std::vector<Entry>> S3Bucket::list(const std::string& prefix, const std::string& delimiter,
                                          size_t most) {
  KeyList keys(prefix, delimiter, most == 0 ? kPageKeys : std::min(most, kPageKeys));
  while (true) {
    const auto answer = TRY(ask("GET", "", keys.query()));
    if (!TRY(keys.take(answer.body)) || (most > 0 && keys.size() >= most)) break;
  }
  return std::move(keys).entries();
}

}  // namespace pegmove::blockstore
