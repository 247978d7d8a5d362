#include "server/replica/backup_runner.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>

#include "base/local_file.h"

namespace pegmove::server::replica {
namespace {

namespace fs = std::filesystem;

using backup::BackupRequest;
using backup::PartitionProgress;
using backup::RestoreRequest;

constexpr const char* kSendRate = "max_send_rate_megabytes_per_disk";
constexpr const char* kOldSendRate = "max_send_rate_megabytes";
constexpr const char* kCopyRate = "max_copy_rate_megabytes_per_disk";
constexpr const char* kHdfsWriteRate = "hdfs_write_limit_rate_mb_per_sec";
constexpr const char* kHdfsReadRate = "hdfs_read_limit_rate_mb_per_sec";

// "backup.<policy>.<id>.<decree>.<timestamp ms>", as in Pegasus; while it is made, "backup_tmp...".
std::string checkpoint_prefix(const BackupRequest& request) {
  return fmt::format("backup.{}.{}.", request.policy, request.place.backup_id);
}

struct Named {
  int64_t decree = 0;
  int64_t timestamp_ms = 0;
};
std::optional<Named> parse_name(std::string_view name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  Named named;
  const auto* end = name.data() + name.size();
  auto [dot, wrong] = std::from_chars(name.data(), end, named.decree);
  if (wrong != std::errc() || dot == end || *dot != '.') return std::nullopt;
  auto [stop, failed] = std::from_chars(dot + 1, end, named.timestamp_ms);
  if (failed != std::errc() || stop != end) return std::nullopt;
  return named;
}

// The complete checkpoint of an earlier attempt; others of its policy are removed.
Result<std::optional<backup::LocalCheckpoint>> find_checkpoint(const std::string& folder,
                                                               const BackupRequest& request) {
  std::optional<backup::LocalCheckpoint> found;
  std::vector<std::string> others;
  for (const auto& name : TRY(base::names_in(folder))) {
    const auto path = folder + "/" + name;
    const auto named = parse_name(name, checkpoint_prefix(request));
    if (named && !found)
      found = backup::LocalCheckpoint{
          .folder = path, .decree = named->decree, .timestamp_ms = named->timestamp_ms, .name = ""};
    else if (name.starts_with("backup." + request.policy + ".") ||
             name.starts_with("backup_tmp." + request.policy + "."))
      others.push_back(path);
  }
  for (const auto& path : others) TRY(base::remove_tree(path));
  return found;
}

// Removes the folder of all checkpoints with the last one.
Result<void> delete_checkpoint(const std::string& path) {
  TRY(base::remove_tree(path));
  std::error_code ignored;
  fs::remove(fs::path(path).parent_path(), ignored);
  return {};
}

// `replica` is released here: a dropped table's data can be removed while its backup is uploaded.
Result<int64_t> make_checkpoint(std::shared_ptr<Replica> replica, const std::string& path) {
  return replica->checkpoint(path);
}

}  // namespace

BackupRunner::BackupRunner(BackupRunnerOptions options, Clock& clock, Logger log)
    : options_(std::move(options)),
      clock_(clock),
      log_(std::move(log)),
      stores_(options_.providers, clock),
      files_(options_.files_at_once),
      pool_(options_.pool_threads) {
  for (const char* name : {kSendRate, kOldSendRate, kCopyRate, kHdfsWriteRate, kHdfsReadRate})
    rates_[name] = std::make_unique<blockstore::RateLimit>(clock);
}

void BackupRunner::set_rate(const std::string& name, int64_t megabytes_per_second) {
  rates_.at(name)->set(std::min(megabytes_per_second, int64_t{1} << 40) << 20);
}

void BackupRunner::stop() {
  stopped_ = true;
  stores_.stop();
}

void BackupRunner::failpoint(std::string_view name) const {
  if (options_.on_failpoint) options_.on_failpoint(name);
}

Task<blockstore::AsyncStore> BackupRunner::store(std::string provider) {
  auto store = CO_TRY(stores_.get(provider));
  co_return blockstore::AsyncStore(std::move(store), pool_, clock_);
}

std::vector<blockstore::RateLimit*> BackupRunner::limits(Way way,
                                                         const std::string& provider) const {
  std::vector<blockstore::RateLimit*> limits;
  const auto add = [&](const char* name) { limits.push_back(rates_.at(name).get()); };
  if (way == Way::kThere) {
    add(kSendRate);
    add(kOldSendRate);
  } else {
    add(kCopyRate);
  }
  const auto found = options_.providers.find(provider);
  if (found != options_.providers.end() && found->second.type == "hdfs_service")
    add(way == Way::kThere ? kHdfsWriteRate : kHdfsReadRate);
  return limits;
}

backup::CheckpointTransfer BackupRunner::transfer(
    Way way, const std::string& provider, std::shared_ptr<PartitionProgress> progress) const {
  return {.limits = limits(way, provider),
          .files = &files_,
          .should_stop = [this, progress] { return stopped_ || progress->cancelled; },
          .on_progress =
              [progress](int64_t done, int64_t all) {
                progress->done_bytes = done;
                progress->all_bytes = all;
              },
          .on_failpoint = [this](std::string_view name) { failpoint(name); }};
}

Task<backup::LocalCheckpoint> BackupRunner::checkpoint(const BackupRequest& request,
                                                       std::string folder,
                                                       std::shared_ptr<Replica> replica) {
  CO_TRY(co_await pool_.run([&] { return base::make_folders(folder); }));
  const auto prefix = checkpoint_prefix(request);
  auto found = CO_TRY(co_await pool_.run([&] { return find_checkpoint(folder, request); }));
  if (!found) {
    const auto timestamp_ms = clock_.unix_us() / 1000;
    const auto made = fmt::format("{}/backup_tmp.{}.{}.{}", folder, request.policy,
                                  request.place.backup_id, timestamp_ms);
    const auto decree = CO_TRY(co_await pool_.run([&made, replica = std::move(replica)]() mutable {
      return make_checkpoint(std::move(replica), made);
    }));
    failpoint("backup.checkpoint_made");
    found = backup::LocalCheckpoint{
        .folder = fmt::format("{}/{}{}.{}", folder, prefix, decree, timestamp_ms),
        .decree = decree,
        .timestamp_ms = timestamp_ms,
        .name = ""};
    CO_TRY(co_await pool_.run([&] { return base::rename_file(made, found->folder); }));
    failpoint("backup.checkpoint_named");
  }
  found->name = backup::checkpoint_name(server_);
  co_return std::move(*found);
}

Task<int64_t> BackupRunner::back_up(BackupRequest request, std::string partition_dir,
                                    std::shared_ptr<Replica> replica,
                                    std::shared_ptr<PartitionProgress> progress) {
  auto metrics = replica->observer();  // shared with the replica
  metrics->backup_started_count.add();
  metrics->backup_running_count.set(1);
  auto done = co_await back_up_with(metrics, std::move(request), std::move(partition_dir),
                                    std::move(replica), progress);
  metrics->backup_running_count.set(0);
  metrics->backup_max_duration_ms.set(0);
  metrics->backup_file_upload_max_bytes.set(0);
  if (done)
    metrics->backup_successful_count.add();
  else if (done.error().code() == Code::kInterrupted)
    metrics->backup_cancelled_count.add();
  else
    metrics->backup_failed_count.add();
  co_return done;
}

Task<int64_t> BackupRunner::back_up_with(std::shared_ptr<ReplicaMetrics> metrics,
                                         BackupRequest request, std::string partition_dir,
                                         std::shared_ptr<Replica> replica,
                                         std::shared_ptr<PartitionProgress> progress) {
  const auto begin = clock_.now();
  auto store = CO_TRY(co_await this->store(request.provider));
  const auto folder = partition_dir + "/backup";
  auto local = CO_TRY(co_await checkpoint(request, folder, std::move(replica)));
  auto how = transfer(Way::kThere, request.provider, progress);
  how.on_progress = [&, on_progress = how.on_progress](int64_t done, int64_t all) {
    on_progress(done, all);
    metrics->backup_file_upload_max_bytes.set(done);
    metrics->backup_max_duration_ms.set(
        std::chrono::duration_cast<async::milliseconds>(clock_.now() - begin).count());
  };
  how.on_upload = [&](const std::string&, const blockstore::Uploaded& file) {
    metrics->backup_file_upload_successful_count.add(1);
    if (file.was_there) return;
    metrics->backup_file_upload_total_bytes.add(file.sum.size);
    progress->sent_bytes += file.sum.size;
  };
  auto uploaded = co_await backup::upload_checkpoint(
      store, request.place, request.gpid.partition_index, local, std::move(how));
  if (!uploaded) {
    metrics->backup_file_upload_failed_count.add(uploaded.error().code() != Code::kInterrupted);
    // A stopped server resumes with it later.
    if (!stopped_) CO_TRY(co_await pool_.run([&] { return delete_checkpoint(local.folder); }));
    co_return uploaded;
  }
  CO_TRY(co_await pool_.run([&] { return delete_checkpoint(local.folder); }));
  failpoint("backup.checkpoint_removed");
  co_return uploaded;
}

Task<> BackupRunner::restore(RestoreRequest request, std::string partition_dir,
                             std::shared_ptr<PartitionProgress> progress) {
  const auto place = partition_dir + "/data/rdb";
  std::error_code error;
  if (fs::exists(place, error)) {
    progress->done_bytes = progress->all_bytes.load();
    co_return Result<void>();
  }
  auto store = CO_TRY(co_await this->store(request.provider));
  const auto folder = fmt::format("{}/restore.{}", partition_dir, request.place.backup_id);
  auto downloaded = co_await backup::download_checkpoint(
      store, request.place, request.gpid.partition_index, folder,
      transfer(Way::kHere, request.provider, progress));
  if (!downloaded) {
    // Damaged or cancelled downloads are of no use to a later attempt.
    const auto code = downloaded.error().code();
    if (code == Code::kCorrupt || code == Code::kNotFound || (progress->cancelled && !stopped_))
      CO_TRY(co_await pool_.run([&] { return base::remove_tree(folder); }));
    co_return fail(std::move(downloaded.error()));
  }
  CO_TRY(co_await pool_.run([&]() -> Result<void> {
    TRY(base::make_folders(partition_dir + "/data"));
    return base::rename_file(folder, place);
  }));
  failpoint("restore.partition_in_place");
  co_return Result<void>();
}

}  // namespace pegmove::server::replica
