#include "splitter/target_files.h"

#include <rocksdb/file_system.h>
#include <rocksdb/table.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "store/status.h"

namespace pegmove::splitter {
namespace {

constexpr size_t kGathered = 32 << 10;  // bytes

// The upload to a store syncs the file.
class UnsyncedFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
};

class UnsyncedFiles : public rocksdb::FileSystemWrapper {
 public:
  UnsyncedFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "PegmoveUnsyncedFiles"; }
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    auto status = target()->NewWritableFile(path, options, result, debug);
    if (status.ok()) *result = std::make_unique<UnsyncedFile>(std::move(*result));
    return status;
  }
};

rocksdb::Options table_options(bool for_old_servers) {
  static const auto env = rocksdb::NewCompositeEnv(std::make_shared<UnsyncedFiles>());
  rocksdb::Options options;
  options.env = env.get();
  options.compression = rocksdb::kLZ4Compression;  // as Pegasus's own
  rocksdb::BlockBasedTableOptions table;
  table.checksum = for_old_servers ? rocksdb::kCRC32c : rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

std::string number_text(int number) {
  char text[16];
  std::snprintf(text, sizeof text, "%04d", number);
  return text;
}

}  // namespace

struct TargetFiles::Writing {
  Writing(FinishedFile described, bool for_old_servers)
      : file(std::move(described)),
        writer(rocksdb::EnvOptions(), table_options(for_old_servers), /*column_family=*/nullptr,
               /*invalidate_page_cache=*/false) {  // it is read again at once
    XXH3_128bits_reset(&digest);
  }
  ~Writing() {
    if (!finished) ::unlink(file.path.c_str());
  }

  void feed(std::string_view bytes) {
    char size[sizeof(uint32_t)];
    base::store_big_endian(size, uint32_t(bytes.size()));
    gather({size, sizeof size});
    gather(bytes);
  }
  // One call of the digest per row would cost as much as the row itself.
  void gather(std::string_view bytes) {
    if (used + bytes.size() > gathered.size()) digest_gathered();
    if (bytes.size() > gathered.size()) {
      XXH3_128bits_update(&digest, bytes.data(), bytes.size());
      return;
    }
    std::memcpy(gathered.data() + used, bytes.data(), bytes.size());
    used += bytes.size();
  }
  void digest_gathered() {
    XXH3_128bits_update(&digest, gathered.data(), used);
    used = 0;
  }

  FinishedFile file;
  rocksdb::SstFileWriter writer;
  XXH3_state_t digest;
  std::array<char, kGathered> gathered;  // the first `used` bytes
  size_t used = 0;
  int64_t bytes = 0;
  bool finished = false;
};

TargetFiles::TargetFiles(int32_t partition, std::string prefix, std::string folder,
                         int64_t most_bytes, bool for_old_servers)
    : partition_(partition),
      prefix_(std::move(prefix)),
      folder_(std::move(folder)),
      most_bytes_(most_bytes),
      for_old_servers_(for_old_servers) {}

TargetFiles::TargetFiles(TargetFiles&& other) noexcept = default;
TargetFiles::~TargetFiles() = default;

Result<void> TargetFiles::begin_file() {
  auto name = prefix_ + "_" + number_text(++number_) + ".sst";
  auto path = folder_ + "/" + std::to_string(partition_) + "_" + name;
  writing_ = std::make_unique<Writing>(FinishedFile{.partition = partition_,
                                                    .name = std::move(name),
                                                    .path = std::move(path),
                                                    .rows = 0,
                                                    .digest = ""},
                                       for_old_servers_);
  const auto status = writing_->writer.Open(writing_->file.path);
  if (!status.ok()) return fail(store::to_error(status, "creating", writing_->file.path));
  return {};
}

Result<bool> TargetFiles::add(std::string_view key, std::string_view value) {
  if (!writing_) TRY(begin_file());
  const auto status = writing_->writer.Put(key, value);
  if (!status.ok()) return fail(store::to_error(status, "writing", writing_->file.path));
  writing_->feed(key);
  writing_->feed(value);
  ++writing_->file.rows;
  writing_->bytes += int64_t(key.size() + value.size());
  return writing_->bytes >= most_bytes_;
}

Result<std::optional<FinishedFile>> TargetFiles::finish() {
  if (!writing_) return std::nullopt;
  const auto status = writing_->writer.Finish();
  if (!status.ok()) return fail(store::to_error(status, "finishing", writing_->file.path));
  writing_->digest_gathered();
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(&writing_->digest));
  writing_->file.digest =
      base::to_hex({reinterpret_cast<const char*>(digest.digest), sizeof digest.digest});
  writing_->finished = true;
  auto file = std::move(writing_->file);
  writing_.reset();
  return file;
}

Result<FinishedFile> write_empty_partition(int32_t partition, const std::string& folder,
                                           bool for_old_servers) {
  TargetFiles files(partition, "empty", folder, 1, for_old_servers);
  TRY(files.add("", ""));
  return base::checked(TRY(files.finish()), "a file that has a row can be finished");
}

}  // namespace pegmove::splitter
