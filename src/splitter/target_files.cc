#include "splitter/target_files.h"

#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>
#include <utility>

#include "base/bytes.h"
#include "store/status.h"

namespace pegmove::splitter {
namespace {

constexpr size_t kGathered = 32 << 10;  // bytes

rocksdb::Options table_options() {
  rocksdb::Options options;
  options.compression = rocksdb::kLZ4Compression;  // as Pegasus's own
  return options;
}

std::string number_text(int number) {
  char text[16];
  std::snprintf(text, sizeof text, "%04d", number);
  return text;
}

}  // namespace

struct TargetFiles::Writing {
  explicit Writing(FinishedFile described)
      : file(std::move(described)), writer(rocksdb::EnvOptions(), table_options()) {
    XXH3_128bits_reset(&digest);
  }
  ~Writing() {
    if (!finished) ::unlink(file.path.c_str());
  }

  // Gathered: one call a row would cost as much as the row.
  void feed(std::string_view bytes) {
    base::append_big_endian(gathered, uint32_t(bytes.size()));
    gathered.append(bytes);
    if (gathered.size() >= kGathered) digest_gathered();
  }
  void digest_gathered() {
    XXH3_128bits_update(&digest, gathered.data(), gathered.size());
    gathered.clear();
  }

  FinishedFile file;
  rocksdb::SstFileWriter writer;
  XXH3_state_t digest;
  std::string gathered;
  int64_t bytes = 0;
  bool finished = false;
};

TargetFiles::TargetFiles(int32_t partition, std::string prefix, std::string folder,
                         int64_t most_bytes)
    : partition_(partition),
      prefix_(std::move(prefix)),
      folder_(std::move(folder)),
      most_bytes_(most_bytes) {}

TargetFiles::TargetFiles(TargetFiles&& other) noexcept = default;
TargetFiles::~TargetFiles() = default;

Result<void> TargetFiles::begin_file() {
  auto name = prefix_ + "_" + number_text(++number_) + ".sst";
  auto path = folder_ + "/" + std::to_string(partition_) + "_" + name;
  writing_ = std::make_unique<Writing>(FinishedFile{.partition = partition_,
                                                    .name = std::move(name),
                                                    .path = std::move(path),
                                                    .rows = 0,
                                                    .digest = ""});
  const auto status = writing_->writer.Open(writing_->file.path);
  if (!status.ok()) return fail(store::to_error(status, "creating", writing_->file.path));
  return {};
}

Result<std::optional<FinishedFile>> TargetFiles::add(std::string_view key, std::string_view value) {
  if (!writing_) TRY(begin_file());
  const auto status = writing_->writer.Put(key, value);
  if (!status.ok()) return fail(store::to_error(status, "writing", writing_->file.path));
  writing_->feed(key);
  writing_->feed(value);
  ++writing_->file.rows;
  writing_->bytes += int64_t(key.size() + value.size());
  if (writing_->bytes < most_bytes_) return std::nullopt;
  return finish();
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

Result<FinishedFile> write_empty_partition(int32_t partition, const std::string& folder) {
  TargetFiles files(partition, "empty", folder, 1);
  TRY(files.add("", ""));
  return *TRY(files.finish());
}

}  // namespace pegmove::splitter
