#include "blockstore/hdfs_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/percent.h"
#include "blockstore/digest.h"
#include "blockstore/hdfs_checksum.h"
#include "blockstore/hdfs_rest.h"
#include "blockstore/path.h"

namespace pegmove::blockstore {
namespace {

using base::number_in;
using base::text_in;
using Json = nlohmann::json;

constexpr size_t kChunkBytes = 8 << 20;
constexpr size_t kMostErrorBytes = 1 << 20;

struct FileStatus {
  Entry entry;
  int64_t block_bytes = 0;
};

Result<FileStatus> read_status(const Json& json, std::string name) {
  const auto type = text_in(json, "type");
  FileStatus status{.entry = {.name = std::move(name), .is_folder = type == "DIRECTORY"},
                    .block_bytes = number_in(json, "blockSize")};
  if (status.entry.is_folder) return status;
  status.entry.size = number_in(json, "length");
  if (type != "FILE" || status.entry.size < 0)
    return fail(Code::kProtocol, "HDFS's description of a file cannot be parsed");
  return status;
}

// Calls of one HDFS by full paths.
class Hdfs {
 public:
  explicit Hdfs(HdfsOptions options) : rest_(std::move(options)) {}

  HdfsRest& rest() { return rest_; }
  const HdfsOptions& options() const { return rest_.options(); }

  Result<FileStatus> status(const std::string& path) {
    auto json = TRY(rest_.ask("GET", path, "GETFILESTATUS"));
    return read_status(json["FileStatus"], name_of(path));
  }

  // True for the same bytes. With another kind of checksum the file is read instead.
  Result<bool> has(const std::string& path, const HdfsFileSum& sum, const std::string& md5) {
    auto status = TRY(this->status(path));
    if (status.entry.is_folder || status.entry.size != sum.size()) return false;
    if (sum.size() == 0) return true;
    auto json = TRY(rest_.ask("GET", path, "GETFILECHECKSUM"));
    const auto& checksum_json = json["FileChecksum"];
    auto checksum =
        HdfsChecksum::parse(text_in(checksum_json, "algorithm"), text_in(checksum_json, "bytes"));
    if (!checksum || checksum->bytes_per_crc != int32_t(HdfsFileSum::kBytesPerCrc) ||
        !checksum->is_crc32c || status.block_bytes <= 0 ||
        status.block_bytes % int64_t(HdfsFileSum::kBytesPerCrc) != 0)
      return TRY(md5_by_reading(path, status.entry.size)) == md5;
    return checksum->md5 == sum.md5(status.block_bytes);
  }

  Result<std::string> read(const std::string& path, int64_t offset, size_t size) {
    return rest_.move_data("GET", path, fmt::format("OPEN&offset={}&length={}", offset, size), "",
                           std::max(size, kMostErrorBytes));
  }

  Result<void> remove(const std::string& path) {
    TRY(rest_.ask("DELETE", path, "DELETE&recursive=true"));
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) {
    // Replaces the target of the rename; the answer has an empty body.
    TRY(rest_.ask("PUT", from,
                  "RENAME&renameoptions=OVERWRITE&destination=" + base::percent_encode("/" + to)));
    return {};
  }

 private:
  Result<std::string> md5_by_reading(const std::string& path, int64_t size) {
    Digest digest;
    for (int64_t offset = 0; offset < size; offset += kChunkBytes)
      digest.feed(TRY(read(path, offset, kChunkBytes)));
    return digest.finish_hex();
  }

  HdfsRest rest_;
};

class HdfsUpload : public Upload {
 public:
  HdfsUpload(Hdfs& hdfs, std::string path)
      : hdfs_(hdfs),
        path_(std::move(path)),
        partial_(join(parent_of(path_), "." + name_of(path_) + ".pegmove-part")) {}
  ~HdfsUpload() override {
    // Remains are replaced by the next upload.
    if (begun_ && !finished_ && !hdfs_.remove(partial_)) return;
  }

  Result<void> append(std::string_view bytes) override {
    if (bytes.empty()) return {};
    sum_.feed(bytes);
    return send(bytes);
  }

  Result<void> finish(const std::string& md5) override {
    if (!begun_) TRY(send(""));
    if (!TRY(hdfs_.has(partial_, sum_, md5)))
      return fail(
          Code::kCorrupt,
          fmt::format("HDFS's checksum of {} does not match the bytes that were sent", partial_));
    TRY(hdfs_.rename(partial_, path_));
    finished_ = true;
    return {};
  }

 private:
  Result<void> send(std::string_view bytes) {
    const bool is_first = !begun_;
    begun_ = true;
    TRY(hdfs_.rest().move_data(is_first ? "PUT" : "POST", partial_,
                               is_first ? "CREATE&overwrite=true" : "APPEND", bytes,
                               kMostErrorBytes));
    return {};
  }

  Hdfs& hdfs_;
  std::string path_, partial_;
  HdfsFileSum sum_;
  bool begun_ = false;
  bool finished_ = false;
};

class HdfsProof : public Proof {
 public:
  HdfsProof(Hdfs& hdfs, std::string path) : hdfs_(hdfs), path_(std::move(path)) {}
  void feed(std::string_view bytes) override {
    sum_.feed(bytes);
    md5_.feed(bytes);
  }
  Result<bool> holds() override { return hdfs_.has(path_, sum_, md5_.finish_hex()); }

 private:
  Hdfs& hdfs_;
  std::string path_;
  HdfsFileSum sum_;
  Digest md5_;
};

class HdfsStore : public BlockStore {
 public:
  explicit HdfsStore(HdfsOptions options) : hdfs_(std::move(options)) {}

  std::string description() const override {
    const auto& options = hdfs_.options();
    return options.name + " (hdfs_service " + options.name_node + ")";
  }
  size_t chunk_bytes() const override { return kChunkBytes; }

  Result<std::vector<Entry>> list(const std::string& path) override {
    const auto folder = TRY(place(path));
    const auto doing = "listing /" + folder;
    auto json = TRY(in(hdfs_.rest().ask("GET", folder, "LISTSTATUS"), doing));
    std::vector<Entry> entries;
    const auto& statuses = json["FileStatuses"];
    if (!statuses.is_object() || !statuses.contains("FileStatus"))
      return in(Result<std::vector<Entry>>(fail(Code::kProtocol, "the answer is not a list")),
                doing);
    for (const auto& file : statuses["FileStatus"]) {
      auto name = text_in(file, "pathSuffix");
      if (name.empty())  // the path is a file
        return in(Result<std::vector<Entry>>(fail(Code::kNotFound, "it is not a folder")), doing);
      if (!is_name(name))
        return in(Result<std::vector<Entry>>(
                      fail(Code::kProtocol, "the answer contains an invalid name")),
                  doing);
      auto status = TRY(in(read_status(file, std::move(name)), doing));
      if (!is_partial(status.entry.name)) entries.push_back(std::move(status.entry));
    }
    std::ranges::sort(entries, {}, &Entry::name);
    return entries;
  }

  Result<Entry> stat(const std::string& path) override {
    const auto file = TRY(place(path));
    return TRY(in(hdfs_.status(file), "reading the status of /" + file)).entry;
  }

  Result<std::string> read(const std::string& path, int64_t offset, size_t size) override {
    const auto file = TRY(place(path));
    if (size == 0) return "";
    auto bytes = hdfs_.read(file, offset, size);
    // HDFS refuses to read after the end.
    if (!bytes && bytes.error().code() == Code::kIo)
      if (auto status = hdfs_.status(file); status && offset >= status->entry.size) return "";
    return in(std::move(bytes), "reading /" + file);
  }

  Result<std::unique_ptr<Upload>> create(const std::string& path) override {
    return std::make_unique<HdfsUpload>(hdfs_, TRY(place(path)));
  }

  Result<std::unique_ptr<Proof>> prove(const std::string& path) override {
    const auto file = TRY(place(path));
    TRY(in(hdfs_.status(file), "reading the status of /" + file));
    return std::make_unique<HdfsProof>(hdfs_, file);
  }

  Result<void> remove(const std::string& path) override {
    if (path.empty()) return fail(Code::kRefused, description() + ": the root cannot be removed");
    const auto file = TRY(place(path));
    return in(hdfs_.remove(file), "removing /" + file);
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    const auto before = TRY(place(from)), after = TRY(place(to));
    const auto doing = fmt::format("renaming /{} to /{}", before, after);
    TRY(in(hdfs_.rest().ask("PUT", parent_of(after), "MKDIRS"), doing));
    return in(hdfs_.rename(before, after), doing);
  }

  void stop() override { hdfs_.rest().stop(); }

 private:
  static bool is_partial(const std::string& name) { return name.ends_with(".pegmove-part"); }

  template <typename T>
  Result<T> in(Result<T> result, const std::string& doing) const {
    if (result) return result;
    return fail(std::move(result.error()).with_context(doing).with_context(description()));
  }

  // The path below the root, without a leading slash.
  Result<std::string> place(const std::string& path) {
    return check_path(hdfs_.options().root + "/" + path);
  }

  Hdfs hdfs_;
};

}  // namespace

std::unique_ptr<BlockStore> make_hdfs_store(HdfsOptions options) {
  return std::make_unique<HdfsStore>(std::move(options));
}

}  // namespace pegmove::blockstore
