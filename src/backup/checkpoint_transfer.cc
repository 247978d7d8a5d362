#include "backup/checkpoint_transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "async/for_each.h"
#include "base/local_file.h"
#include "blockstore/path.h"
#include "blockstore/stored_files.h"

namespace pegmove::backup {
namespace {

namespace fs = std::filesystem;

using blockstore::AsyncStore;
using blockstore::FileSum;
using blockstore::join;
using blockstore::Transfer;

constexpr size_t kMostAtOnce = 64;  // the semaphore is the limit

struct LocalEntry {
  std::string name;
  int64_t size = 0;
};

Result<std::vector<LocalEntry>> list_files(const std::string& folder) {
  std::vector<LocalEntry> files;
  for (auto& name : TRY(base::names_in(folder))) {
    std::error_code error;
    const auto path = folder + "/" + name;
    if (!fs::is_regular_file(path, error))
      return fail(Code::kIo, fmt::format("{} has {}, which is not a regular file", folder, name));
    const auto size = fs::file_size(path, error);
    if (error) return fail(base::system_error("looking at", path, error.value()));
    files.push_back({.name = std::move(name), .size = int64_t(size)});
  }
  if (std::ranges::find(files, "CURRENT", &LocalEntry::name) == files.end())
    return fail(Code::kIo, folder + " has no file CURRENT: it is not a checkpoint");
  return files;
}

int64_t total_of(const std::vector<LocalEntry>& files) {
  int64_t total = 0;
  for (const auto& file : files) total += file.size;
  return total;
}

void report_step(const CheckpointTransfer& how, std::string_view step) {
  if (how.on_failpoint) how.on_failpoint(step);
}

// Counts the bytes of a checkpoint and reports them.
class Progress {
 public:
  Progress(const CheckpointTransfer& how, int64_t all) : how_(how), all_(all) {}
  void add(int64_t bytes) {
    done_ += bytes;
    if (how_.on_progress) how_.on_progress(done_, all_);
  }
  Transfer transfer() {
    return {.limits = how_.limits,
            .on_bytes = [this](int64_t bytes) { add(bytes); },
            .should_stop = how_.should_stop};
  }

 private:
  const CheckpointTransfer& how_;
  int64_t all_;
  int64_t done_ = 0;
};

struct UploadWork {
  const AsyncStore& store;
  std::string remote, local;
  const CheckpointTransfer& how;
  Progress& progress;
  std::vector<LocalEntry> files;
  std::vector<FileSum> sums;
};

Task<> upload_file(UploadWork& work, size_t index) {
  const auto permit = co_await async::Permit::take(work.how.files);
  const auto& name = work.files[index].name;
  auto uploaded = CO_TRY(co_await work.store.upload(
      work.local + "/" + name, join(work.remote, name), work.progress.transfer()));
  work.sums[index] = uploaded.sum;
  if (work.how.on_upload) work.how.on_upload(name, uploaded);
  report_step(work.how, "backup.file_uploaded");
  co_return Result<void>();
}

Task<CheckpointMetadata> upload_files(const AsyncStore& store, std::string remote,
                                      const LocalCheckpoint& local, const CheckpointTransfer& how) {
  auto files = CO_TRY(co_await store.run([&] { return list_files(local.folder); }));
  Progress progress(how, total_of(files));
  progress.add(0);
  UploadWork work{.store = store,
                  .remote = std::move(remote),
                  .local = local.folder,
                  .how = how,
                  .progress = progress,
                  .files = std::move(files),
                  .sums = {}};
  work.sums.resize(work.files.size());
  CO_TRY(co_await async::for_each(work.files.size(), how.files ? kMostAtOnce : 1,
                                  [&work](size_t i) { return upload_file(work, i); }));
  CheckpointMetadata metadata{.decree = local.decree,
                              .timestamp_ms = local.timestamp_ms,
                              .files = {},
                              .total_size = total_of(work.files)};
  for (size_t i = 0; i < work.files.size(); ++i)
    metadata.files.push_back(
        {.name = work.files[i].name, .size = work.sums[i].size, .md5 = work.sums[i].md5});
  co_return metadata;
}

}  // namespace

Task<int64_t> upload_checkpoint(const AsyncStore& store, Place place, int32_t partition,
                                LocalCheckpoint local, CheckpointTransfer how) {
  auto done = co_await read_checkpoint(store, place, partition);
  if (done) {
    if (how.on_progress) how.on_progress(done->metadata.total_size, done->metadata.total_size);
    co_return done->metadata.total_size;
  }
  if (done.error().code() != Code::kNotFound && done.error().code() != Code::kCorrupt)
    co_return fail(std::move(done.error()));
  const auto remote = place.checkpoint_folder(partition, local.name);
  auto metadata = CO_TRY(co_await upload_files(store, remote, local, how));
  CO_TRY(co_await store.write_file(join(remote, kBackupMetadata), encode(metadata)));
  report_step(how, "backup.metadata_written");
  CO_TRY(co_await store.write_file(place.current_file(partition), local.name));
  report_step(how, "backup.current_written");
  co_return metadata.total_size;
}

Task<CheckpointMetadata> download_checkpoint(const AsyncStore& store, Place place,
                                             int32_t partition, std::string folder,
                                             CheckpointTransfer how) {
  auto checkpoint = CO_TRY(co_await read_checkpoint(store, place, partition));
  CO_TRY(co_await blockstore::download_files(
      store, checkpoint.folder, checkpoint.metadata.files, std::move(folder),
      {.limits = how.limits,
       .files = how.files,
       .should_stop = how.should_stop,
       .on_progress = how.on_progress,
       .on_file = [&how](const CheckpointFile&) { report_step(how, "restore.file_downloaded"); }}));
  report_step(how, "restore.files_checked");
  co_return std::move(checkpoint.metadata);
}

}  // namespace pegmove::backup
