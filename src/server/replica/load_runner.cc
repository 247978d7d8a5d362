#include "server/replica/load_runner.h"

#include "base/local_file.h"
#include "bulkload/reader.h"
#include "store/table_file.h"

namespace pegmove::server::replica {
namespace {

using bulkload::LoadProgress;
using bulkload::LoadRequest;

std::string folder_of(const std::string& partition_dir) { return partition_dir + "/bulk_load"; }

// The downloaded files, by name.
Result<std::vector<std::string>> files_in(const std::string& folder) {
  auto files = TRY(base::names_in(folder));
  for (auto& file : files) file = folder + "/" + file;
  return files;
}

}  // namespace

LoadRunner::LoadRunner(LoadRunnerOptions options, LimitsOf limits_of, Clock& clock)
    : options_(std::move(options)),
      limits_of_(std::move(limits_of)),
      clock_(clock),
      stores_(options_.providers, clock),
      downloads_(at_once_),
      pool_(options_.pool_threads) {}

void LoadRunner::stop() {
  stopped_ = true;
  stores_.stop();
}

Task<> LoadRunner::download(LoadRequest request, std::string partition_dir,
                            std::shared_ptr<Replica> replica,
                            std::shared_ptr<LoadProgress> progress) {
  if (replica->db().last_load() == request.load) co_return Result<void>();
  const auto metrics = replica->observer();  // shared with the replica
  metrics->bulk_load_downloading_count.add();
  auto fetched = co_await fetch_in_turn(request, partition_dir, *metrics, std::move(progress));
  if (!fetched) {
    metrics->bulk_load_download_file_failed_count.add(fetched.error().code() != Code::kInterrupted);
    co_return fetched;
  }
  CO_TRY(co_await pool_.run([&]() -> Result<void> {
    if (request.behind) TRY(replica->db().check_load_behind());
    return store::check_table_files(TRY(files_in(folder_of(partition_dir))),
                                    {.partition = request.gpid.partition_index,
                                     .partition_count = request.partition_count,
                                     .data_version = replica->db().data_version()});
  }));
  failpoint("load.files_checked");
  co_return Result<void>();
}

Task<> LoadRunner::fetch_in_turn(const LoadRequest& request, const std::string& partition_dir,
                                 ReplicaMetrics& metrics, std::shared_ptr<LoadProgress> progress) {
  downloads_.resize(at_once_);
  const auto permit = co_await async::Permit::take(&downloads_);
  auto fetched = co_await fetch(request, partition_dir, metrics, std::move(progress));
  downloads_.resize(at_once_);
  co_return fetched;
}

Task<> LoadRunner::fetch(const LoadRequest& request, const std::string& partition_dir,
                         ReplicaMetrics& metrics, std::shared_ptr<LoadProgress> progress) {
  blockstore::AsyncStore store(CO_TRY(stores_.get(request.provider)), pool_, clock_);
  const auto partition = request.gpid.partition_index;
  auto metadata = CO_TRY(co_await bulkload::read_metadata(store, request.place, partition));
  co_return co_await blockstore::download_files(
      store, request.place.partition_folder(partition), std::move(metadata.files),
      folder_of(partition_dir),
      {.limits = limits_of_(request.provider),
       .should_stop = [this, progress] { return stopped_ || progress->cancelled; },
       .on_progress =
           [progress](int64_t done, int64_t all) {
             progress->done_bytes = done;
             progress->all_bytes = all;
           },
       .on_file =
           [&](const auto& file) {
             metrics.bulk_load_download_file_successful_count.add();
             metrics.bulk_load_download_file_bytes.add(file.size);
             failpoint("load.file_downloaded");
           }});
}

Task<> LoadRunner::ingest(LoadRequest request, std::string partition_dir,
                          std::shared_ptr<Replica> replica,
                          std::shared_ptr<LoadProgress> progress) {
  if (replica->db().last_load() == request.load) co_return Result<void>();
  auto& metrics = replica->metrics();
  metrics.bulk_load_ingesting_count.add();
  auto ingested = co_await pool_.run([&]() -> Result<void> {
    const auto files = TRY(files_in(folder_of(partition_dir)));
    progress->writes_held_us = TRY(replica->ingest(files, request.behind, request.load)).count();
    return {};
  });
  (ingested ? metrics.bulk_load_successful_count : metrics.bulk_load_failed_count).add();
  if (ingested) failpoint("load.files_ingested");
  co_return ingested;
}

Task<> LoadRunner::clean(std::string partition_dir) {
  co_return co_await pool_.run([&] { return base::remove_tree(folder_of(partition_dir)); });
}

}  // namespace pegmove::server::replica
