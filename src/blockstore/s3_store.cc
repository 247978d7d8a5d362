#include "blockstore/s3_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <pugixml.hpp>

#include "base/bytes.h"
#include "base/percent.h"
#include "blockstore/digest.h"
#include "blockstore/http.h"
#include "blockstore/path.h"

namespace pegmove::blockstore {
namespace {

constexpr size_t kPartBytes = 8 << 20;
constexpr size_t kMostReplyBytes = 16 << 20;

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
  if (status == 404) return Code::kNotFound;
  if (status == 403) return Code::kRefused;
  return Code::kIo;
}

Error error_of(const HttpAnswer& answer) {
  pugi::xml_document xml;
  std::string code, message;
  if (xml.load_buffer(answer.body.data(), answer.body.size())) {
    code = xml.child("Error").child_value("Code");
    message = std::string(xml.child("Error").child_value("Message")).substr(0, 300);
  }
  std::string text = "HTTP status " + std::to_string(answer.status);
  if (!code.empty()) text += ", " + code;
  if (!message.empty()) text += ": " + message;
  return {code_of_s3(answer.status, code), text};
}

// Signed requests to one bucket.
class Bucket {
 public:
  Bucket(S3Options options, const Clock& clock)
      : options_(std::move(options)),
        clock_(clock),
        http_({.silence_timeout = options_.silence_timeout, .ca_file = options_.ca_file}) {}

  const S3Options& options() const { return options_; }
  void stop() { http_.stop(); }

  using Query = std::map<std::string, std::string>;
  using Headers = std::map<std::string, std::string>;
  Result<HttpAnswer> send(const std::string& method, const std::string& key, const Query& query,
                          std::string_view body = {}, const Headers& headers = {},
                          size_t most_reply_bytes = kMostReplyBytes) {
    const auto scheme_end = options_.endpoint.find("://") + 3;
    auto host = options_.endpoint.substr(scheme_end);
    if (options_.virtual_host) host = options_.bucket + "." + host;
    S3Request request{.method = method,
                      .host = host,
                      .path = options_.virtual_host ? "/" : "/" + options_.bucket,
                      .query = query,
                      .headers = headers,
                      .payload_sha256 = sha256_hex(body)};
    if (!key.empty())
      request.path += (options_.virtual_host ? "" : "/") + base::percent_encode(key, true);
    HttpCall call{.method = method,
                  .url = options_.endpoint.substr(0, scheme_end) + host + request.path,
                  .body = body,
                  .most_reply_bytes = most_reply_bytes};
    if (!query.empty()) call.url += "?" + s3_query(query);
    for (const auto& [name, value] :
         s3_sign(request, options_.credentials, options_.region, time_text(clock_)))
      call.headers.push_back(name + ": " + value);
    return http_.send(call);
  }

  // The same, but only success is an answer.
  Result<HttpAnswer> ask(const std::string& method, const std::string& key, const Query& query,
                         std::string_view body = {}, const Headers& headers = {},
                         size_t most_reply_bytes = kMostReplyBytes) {
    auto answer = TRY(send(method, key, query, body, headers, most_reply_bytes));
    if (answer.status >= 300) return fail(error_of(answer));
    return answer;
  }

 private:
  S3Options options_;
  const Clock& clock_;
  HttpClient http_;
};

// The ETag that S3 computes: the MD5 of a file that was sent at once, or of the MD5s of its parts.
class ETag {
 public:
  void feed(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto piece = bytes.substr(0, kPartBytes - in_part_);
      part_.feed(piece);
      in_part_ += piece.size();
      bytes.remove_prefix(piece.size());
      if (in_part_ == kPartBytes) end_part();
    }
  }
  std::string finish() {
    if (parts_ == 0 || in_part_ > 0) end_part();
    // A file of at most one part is sent at once.
    if (parts_ == 1) return base::to_hex(md5s_);
    return fmt::format("{}-{}", md5_hex(md5s_), parts_);
  }

 private:
  void end_part() {
    md5s_ += part_.finish();
    part_ = Digest();
    in_part_ = 0;
    ++parts_;
  }
  Digest part_;
  std::string md5s_;
  size_t in_part_ = 0;
  int parts_ = 0;
};

std::string unquoted(std::string text) {
  std::erase(text, '"');
  return text;
}

// Encrypted with keys of a service or of the client, so that the ETag is not an MD5.
bool is_encrypted(const HttpAnswer& answer) {
  return answer.header("x-amz-server-side-encryption").starts_with("aws:kms") ||
         !answer.header("x-amz-server-side-encryption-customer-algorithm").empty();
}

class S3Upload : public Upload {
 public:
  S3Upload(Bucket& bucket, std::string key) : bucket_(bucket), key_(std::move(key)) {}
  ~S3Upload() override {
    // The server later drops an upload that cannot be aborted now.
    if (!id_.empty() && !bucket_.send("DELETE", key_, {{"uploadId", id_}})) return;
  }

  Result<void> append(std::string_view bytes) override {
    etag_.feed(bytes);
    while (!bytes.empty()) {
      if (waiting_.size() == kPartBytes) TRY(send_part());
      const auto piece = bytes.substr(0, kPartBytes - waiting_.size());
      waiting_ += piece;
      bytes.remove_prefix(piece.size());
    }
    return {};
  }

  Result<void> finish(const std::string& md5) override {
    const Bucket::Headers headers{{"x-amz-meta-md5", md5}};
    std::string got;
    if (id_.empty()) {
      auto answer = TRY(bucket_.ask("PUT", key_, {}, waiting_, headers));
      got = unquoted(answer.header("etag"));
      is_encrypted_ = is_encrypted(answer);
    } else {
      TRY(send_part());
      got = TRY(complete());
      id_.clear();
    }
    const auto wanted = etag_.finish();
    // The SHA-256 of the data was part of the signature; encrypted files have another ETag.
    if (got == wanted || is_encrypted_) return {};
    return fail(Code::kCorrupt,
                fmt::format("S3's checksum of {}, {}, does not match what was sent, {}", key_, got,
                            wanted));
  }

 private:
  Result<void> begin() {
    auto answer = TRY(bucket_.ask("POST", key_, {{"uploads", ""}}));
    pugi::xml_document xml;
    if (xml.load_buffer(answer.body.data(), answer.body.size()))
      id_ = xml.child("InitiateMultipartUploadResult").child_value("UploadId");
    if (id_.empty()) return fail(Code::kProtocol, "S3 returned no id for the upload of " + key_);
    return {};
  }

  Result<void> send_part() {
    if (id_.empty()) TRY(begin());
    const auto number = std::to_string(parts_.size() + 1);
    auto answer =
        TRY(bucket_.ask("PUT", key_, {{"partNumber", number}, {"uploadId", id_}}, waiting_));
    parts_.push_back(answer.header("etag"));
    waiting_.clear();
    return {};
  }

  Result<std::string> complete() {
    std::string body = "<CompleteMultipartUpload>";
    for (size_t i = 0; i < parts_.size(); ++i)
      body +=
          fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, parts_[i]);
    body += "</CompleteMultipartUpload>";
    auto answer = TRY(bucket_.ask("POST", key_, {{"uploadId", id_}}, body));
    is_encrypted_ = is_encrypted(answer);
    pugi::xml_document xml;
    // It may fail with status 200.
    if (!xml.load_buffer(answer.body.data(), answer.body.size()) || xml.child("Error"))
      return fail(error_of(answer));
    return unquoted(xml.child("CompleteMultipartUploadResult").child_value("ETag"));
  }

  Bucket& bucket_;
  std::string key_;
  ETag etag_;
  bool is_encrypted_ = false;
  std::string waiting_;
  std::string id_;
  std::vector<std::string> parts_;  // ETags in the order of the parts
};

class S3Proof : public Proof {
 public:
  S3Proof(std::string etag, int64_t size) : found_(std::move(etag)), size_(size) {}
  void feed(std::string_view bytes) override {
    etag_.feed(bytes);
    fed_ += int64_t(bytes.size());
  }
  Result<bool> holds() override { return fed_ == size_ && etag_.finish() == found_; }

 private:
  std::string found_;
  ETag etag_;
  int64_t size_, fed_ = 0;
};

class S3Store : public BlockStore {
 public:
  S3Store(S3Options options, const Clock& clock) : bucket_(std::move(options), clock) {}

  std::string description() const override {
    const auto& options = bucket_.options();
    return options.name + " (s3_service " + options.endpoint + " " + options.bucket + ")";
  }
  size_t chunk_bytes() const override { return kPartBytes; }

  Result<std::vector<Entry>> list(const std::string& path) override {
    const auto folder = TRY(place(path));
    auto listed = list_keys(folder.empty() ? "" : folder + "/", "/");
    auto entries = TRY(in(std::move(listed), "listing " + folder));
    if (entries.empty() && !path.empty())
      return in(Result<std::vector<Entry>>(fail(Code::kNotFound, "no such key")),
                "listing " + folder);
    std::ranges::sort(entries, {}, &Entry::name);
    return entries;
  }

  Result<Entry> stat(const std::string& path) override {
    const auto key = TRY(place(path));
    const auto doing = "looking at " + key;
    auto answer = TRY(in(bucket_.send("HEAD", key, {}), doing));
    if (answer.status == 200) return in(entry_of(path, answer), doing);
    if (answer.status == 404) {
      auto below = TRY(in(list_keys(key + "/", "/", 1), doing));
      if (!below.empty()) return Entry{.name = name_of(path), .is_folder = true};
    }
    return in(Result<Entry>(fail(error_of(answer))), doing);
  }

  Result<std::string> read(const std::string& path, int64_t offset, size_t size) override {
    const auto key = TRY(place(path));
    const auto doing = "reading " + key;
    if (size == 0) return "";
    const auto range = fmt::format("bytes={}-{}", offset, offset + int64_t(size) - 1);
    auto answer = TRY(
        in(bucket_.send("GET", key, {}, {}, {{"range", range}}, std::max(size, kMostReplyBytes)),
           doing));
    if (answer.status == 416) return "";  // after the end
    if (answer.status == 200 && offset == 0) answer.body.resize(std::min(size, answer.body.size()));
    if (answer.status == 206 || (answer.status == 200 && offset == 0))
      return std::move(answer.body);
    return in(Result<std::string>(fail(error_of(answer))), doing);
  }

  Result<std::unique_ptr<Upload>> create(const std::string& path) override {
    return std::make_unique<S3Upload>(bucket_, TRY(place(path)));
  }

  Result<std::unique_ptr<Proof>> prove(const std::string& path) override {
    const auto key = TRY(place(path));
    const auto doing = "looking at " + key;
    auto answer = TRY(in(bucket_.ask("HEAD", key, {}), doing));
    const auto entry = TRY(in(entry_of(path, answer), doing));
    return std::make_unique<S3Proof>(unquoted(answer.header("etag")), entry.size);
  }

  Result<void> remove(const std::string& path) override {
    if (path.empty()) return fail(Code::kRefused, description() + ": the root cannot be removed");
    const auto key = TRY(place(path));
    const auto doing = "removing " + key;
    for (const auto& below : TRY(in(list_keys(key + "/", ""), doing)))
      TRY(in(bucket_.ask("DELETE", key + "/" + below.name, {}), doing));
    TRY(in(bucket_.ask("DELETE", key, {}), doing));
    return {};
  }

  Result<void> rename(const std::string&, const std::string&) override {
    return fail(Code::kUnsupported, description() + ": S3 cannot rename");
  }

  void stop() override { bucket_.stop(); }

 private:
  template <typename T>
  Result<T> in(Result<T> result, const std::string& doing) const {
    if (result) return result;
    return fail(std::move(result.error()).with_context(doing).with_context(description()));
  }

  Result<std::string> place(const std::string& path) const {
    return check_path(bucket_.options().prefix + "/" + path);
  }

  static Result<Entry> entry_of(const std::string& path, const HttpAnswer& answer) {
    Entry entry{.name = name_of(path)};
    const auto length = answer.header("content-length");
    const auto [end, failed] =
        std::from_chars(length.data(), length.data() + length.size(), entry.size);
    if (failed != std::errc() || entry.size < 0)
      return fail(Code::kProtocol, "S3 does not report the file's size");
    if (auto md5 = answer.header("x-amz-meta-md5"); is_md5_hex(md5)) entry.md5 = md5;
    return entry;
  }

  // Lists keys that begin with `prefix`, without it; those with a delimiter after it as folders.
  Result<std::vector<Entry>> list_keys(const std::string& prefix, const std::string& delimiter,
                                       int most = 1000) {
    std::vector<Entry> entries;
    Bucket::Query query{{"list-type", "2"}, {"prefix", prefix}, {"max-keys", std::to_string(most)}};
    if (!delimiter.empty()) query["delimiter"] = delimiter;
    while (true) {
      auto answer = TRY(bucket_.ask("GET", "", query));
      pugi::xml_document xml;
      const auto parsed = xml.load_buffer(answer.body.data(), answer.body.size());
      const auto result = xml.child("ListBucketResult");
      if (!parsed || !result) return fail(Code::kProtocol, "S3's list of keys cannot be parsed");
      TRY(take_keys(result, prefix, entries));
      const std::string next = result.child_value("NextContinuationToken");
      if (std::string_view(result.child_value("IsTruncated")) != "true" || next.empty() ||
          most < 1000)
        return entries;
      query["continuation-token"] = next;
    }
  }

  static Result<void> take_keys(const pugi::xml_node& result, const std::string& prefix,
                                std::vector<Entry>& entries) {
    const auto add = [&](std::string key, bool is_folder, int64_t size) -> Result<void> {
      if (!key.starts_with(prefix))
        return fail(Code::kProtocol, fmt::format("S3 lists the key {}, which was not requested",
                                                 base::printable(key)));
      key.erase(0, prefix.size());
      if (is_folder && key.ends_with('/')) key.pop_back();
      if (!key.empty()) entries.push_back({.name = key, .is_folder = is_folder, .size = size});
      return {};
    };
    for (const auto& file : result.children("Contents"))
      TRY(add(file.child_value("Key"), false, file.child("Size").text().as_llong()));
    for (const auto& folder : result.children("CommonPrefixes"))
      TRY(add(folder.child_value("Prefix"), true, 0));
    return {};
  }

  Bucket bucket_;
};

}  // namespace

std::unique_ptr<BlockStore> make_s3_store(S3Options options, const Clock& clock) {
  return std::make_unique<S3Store>(std::move(options), clock);
}

}  // namespace pegmove::blockstore
