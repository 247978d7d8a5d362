#include "blockstore/s3_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <pugixml.hpp>
#include <sstream>

#include "base/bytes.h"
#include "base/units.h"
#include "blockstore/digest.h"
#include "blockstore/path.h"
#include "blockstore/s3_bucket.h"

namespace pegmove::blockstore {
namespace {

constexpr size_t kPartBytes = 8 << 20;

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

// The size of a file, from the answer to HEAD.
Result<int64_t> size_in(const HttpAnswer& answer) {
  const auto size = base::parse_integer(answer.header("content-length"), 0, INT64_MAX);
  if (!size) return fail(Code::kProtocol, "S3 does not report the file's size");
  return *size;
}

// What S3 knows of a file's bytes, by itself or as it was noted at the upload; "": nothing.
struct KnownSums {
  std::string etag, noted_md5;
};

KnownSums sums_in(const HttpAnswer& answer) {
  return {.etag = unquoted(answer.header("etag")), .noted_md5 = answer.header("x-amz-meta-md5")};
}

// Up to `size` bytes of a file, fewer only at its end.
Result<std::string> read_range(S3Bucket& bucket, const std::string& key, int64_t offset,
                               size_t size) {
  const auto range = fmt::format("bytes={}-{}", offset, offset + int64_t(size) - 1);
  auto answer = TRY(bucket.send("GET", key, {}, {}, {{"range", range}},
                                std::max(size, S3Bucket::kMostReplyBytes)));
  if (answer.status == 416) return "";  // after the end
  if (answer.status == 200 && offset == 0) answer.body.resize(std::min(size, answer.body.size()));
  if (answer.status == 206 || (answer.status == 200 && offset == 0)) return std::move(answer.body);
  return fail(s3_error(answer));
}

// The SHA-256 of each body is a part of the request's signature: the server refuses one that
// changed on its way. The ETag proves more only where it is an MD5, which it is not in encrypted
// buckets and on several other servers.
class S3Upload : public Upload {
 public:
  S3Upload(S3Bucket& bucket, std::string key) : bucket_(bucket), key_(std::move(key)) {}
  ~S3Upload() override {
    // The server later drops an upload that cannot be aborted now.
    if (!id_.empty() && !bucket_.send("DELETE", key_, {{"uploadId", id_}})) return;
  }

  Result<void> append(std::string_view bytes) override {
    size_ += int64_t(bytes.size());
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
    const S3Bucket::Headers headers{{"x-amz-meta-md5", md5}};
    std::string got;
    if (id_.empty()) {
      const auto answer = TRY(bucket_.ask("PUT", key_, {}, waiting_, headers));
      got = answer.header("etag");
    } else {
      TRY(send_part());
      got = TRY(complete());
      id_.clear();
    }
    if (unquoted(got) == etag_.finish()) return {};
    const auto stored = TRY(size_in(TRY(bucket_.ask("HEAD", key_, {}))));
    if (stored == size_) return {};
    return fail(
        Code::kCorrupt,
        fmt::format("S3 has {} bytes of {} instead of the {} that were sent", stored, key_, size_));
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
    auto etag = answer.header("etag");
    // Where a server names none, S3's own rule is the best guess.
    parts_.push_back(etag.empty() ? "\"" + md5_hex(waiting_) + "\"" : std::move(etag));
    waiting_.clear();
    return {};
  }

  Result<std::string> complete() {
    pugi::xml_document request;
    auto list = request.append_child("CompleteMultipartUpload");
    for (size_t i = 0; i < parts_.size(); ++i) {
      auto part = list.append_child("Part");
      part.append_child("PartNumber").text().set(i + 1);
      part.append_child("ETag").text().set(parts_[i].c_str());
    }
    std::ostringstream body;
    request.save(body, "", pugi::format_raw | pugi::format_no_declaration);
    const auto answer = TRY(bucket_.ask("POST", key_, {{"uploadId", id_}}, body.str()));
    pugi::xml_document xml;
    if (!xml.load_buffer(answer.body.data(), answer.body.size()))
      return fail(Code::kProtocol,
                  "S3's answer to the end of the upload of " + key_ + " cannot be parsed");
    return std::string(xml.child("CompleteMultipartUploadResult").child_value("ETag"));
  }

  S3Bucket& bucket_;
  std::string key_;
  ETag etag_;
  int64_t size_ = 0;
  std::string waiting_;
  std::string id_;
  std::vector<std::string> parts_;  // ETags in the order of the parts
};

// Where neither the ETag nor the MD5 that was noted at the upload says so, the file is read.
class S3Proof : public Proof {
 public:
  S3Proof(S3Bucket& bucket, std::string key, KnownSums known, int64_t size)
      : bucket_(bucket), key_(std::move(key)), known_(std::move(known)), size_(size) {}
  void feed(std::string_view bytes) override {
    etag_.feed(bytes);
    fed_ += int64_t(bytes.size());
  }
  Result<bool> holds() override {
    if (fed_ != size_) return false;
    const auto wanted = etag_.finish();  // an MD5 if the file has one part
    if (wanted == known_.etag || wanted == known_.noted_md5) return true;
    ETag found;
    for (int64_t offset = 0; offset < size_;) {
      const auto bytes = TRY(read_range(bucket_, key_, offset, kPartBytes));
      if (bytes.empty()) return false;
      found.feed(bytes);
      offset += int64_t(bytes.size());
    }
    return found.finish() == wanted;
  }

 private:
  S3Bucket& bucket_;
  std::string key_;
  KnownSums known_;
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
    auto listed = bucket_.list(folder.empty() ? "" : folder + "/", "/");
    auto entries = TRY(in(std::move(listed), "listing " + folder));
    if (entries.empty() && !path.empty())
      return in(Result<std::vector<Entry>>(fail(Code::kNotFound, "no such key")),
                "listing " + folder);
    return entries;
  }

  Result<Entry> stat(const std::string& path) override {
    const auto key = TRY(place(path));
    const auto doing = "looking at " + key;
    auto answer = TRY(in(bucket_.send("HEAD", key, {}), doing));
    if (answer.status == 200) return in(entry_of(path, answer), doing);
    if (answer.status == 404) {
      auto below = TRY(in(bucket_.list(key + "/", "/", 1), doing));
      if (!below.empty()) return Entry{.name = name_of(path), .is_folder = true};
    }
    return in(Result<Entry>(fail(s3_error(answer))), doing);
  }

  Result<std::string> read(const std::string& path, int64_t offset, size_t size) override {
    const auto key = TRY(place(path));
    const auto doing = "reading " + key;
    if (size == 0) return "";
    return in(read_range(bucket_, key, offset, size), doing);
  }

  Result<std::unique_ptr<Upload>> create(const std::string& path) override {
    return std::make_unique<S3Upload>(bucket_, TRY(place(path)));
  }

  Result<std::unique_ptr<Proof>> prove(const std::string& path) override {
    const auto key = TRY(place(path));
    const auto doing = "looking at " + key;
    auto answer = TRY(in(bucket_.ask("HEAD", key, {}), doing));
    const auto entry = TRY(in(entry_of(path, answer), doing));
    return std::make_unique<S3Proof>(bucket_, key, sums_in(answer), entry.size);
  }

  Result<void> remove(const std::string& path) override {
    if (path.empty()) return fail(Code::kRefused, description() + ": the root cannot be removed");
    const auto key = TRY(place(path));
    const auto doing = "removing " + key;
    for (const auto& below : TRY(in(bucket_.list(key + "/", ""), doing)))
      TRY(in(remove_key(key + "/" + below.name), doing));
    return in(remove_key(key), doing);
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
    Entry entry{.name = name_of(path), .size = TRY(size_in(answer))};
    if (auto md5 = answer.header("x-amz-meta-md5"); is_md5_hex(md5)) entry.md5 = md5;
    return entry;
  }

  // S3 answers 204 also when there is no such key; other servers say so.
  Result<void> remove_key(const std::string& key) {
    auto removed = bucket_.ask("DELETE", key, {});
    if (removed || removed.error().code() == Code::kNotFound) return {};
    return fail(std::move(removed.error()));
  }

  S3Bucket bucket_;
};

}  // namespace

std::unique_ptr<BlockStore> make_s3_store(S3Options options, const Clock& clock) {
  return std::make_unique<S3Store>(std::move(options), clock);
}

}  // namespace pegmove::blockstore
