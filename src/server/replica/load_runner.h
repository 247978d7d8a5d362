// What a node does for bulk loads: it downloads a partition's files from a block store, checks
// them, and ingests them into its database. Pegasus: src/replica/bulk_load/replica_bulk_loader.cpp.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "async/pool.h"
#include "backup/failpoints.h"
#include "base/log.h"
#include "blockstore/store_set.h"
#include "blockstore/stored_files.h"
#include "bulkload/node_requests.h"
#include "server/replica/replica.h"

namespace pegmove::server::replica {

struct LoadRunnerOptions {
  blockstore::Providers providers;
  int pool_threads = 4;  // each transfers one file
  backup::FailpointListener on_failpoint = {};
};

// On one executor, except stop() and where noted, which any thread may call. Files are in
// `partition_dir`/bulk_load. Order: ...; stop(); running calls end with kInterrupted; destroy.
class LoadRunner {
 public:
  // `limits_of` returns the rate limits of downloads from a provider; they outlive this.
  using LimitsOf = std::function<std::vector<blockstore::RateLimit*>(const std::string& provider)>;
  LoadRunner(LoadRunnerOptions options, LimitsOf limits_of, Clock& clock);

  // Downloads the files, checks their size and MD5, and reads them completely: files that could not
  // be ingested fail here. Correct files of an earlier attempt are not fetched again. Errors name
  // the file: kNotFound and kCorrupt, it is damaged; kRefused, the replica does not allow ingest
  // behind; the store's; kInterrupted. Repeatable, also when the files have been ingested.
  Task<> download(bulkload::LoadRequest request, std::string partition_dir,
                  std::shared_ptr<Replica> replica,
                  std::shared_ptr<bulkload::LoadProgress> progress);
  // Ingests them; writes are refused meanwhile. Repeatable. Errors: those of PartitionDb::ingest.
  Task<> ingest(bulkload::LoadRequest request, std::string partition_dir,
                std::shared_ptr<Replica> replica, std::shared_ptr<bulkload::LoadProgress> progress);
  // Removes the remaining files. Errors: kIo.
  Task<> clean(std::string partition_dir);

  // How many replicas download at once, at least one; 5 as in Pegasus. Safe from any thread; takes
  // effect when the next download begins or ends.
  void set_downloads_at_once(int64_t count) { at_once_ = std::max<int64_t>(1, count); }

  void stop();

 private:
  Task<> fetch_in_turn(const bulkload::LoadRequest& request, const std::string& partition_dir,
                       ReplicaMetrics& metrics, std::shared_ptr<bulkload::LoadProgress> progress);
  Task<> fetch(const bulkload::LoadRequest& request, const std::string& partition_dir,
               ReplicaMetrics& metrics, std::shared_ptr<bulkload::LoadProgress> progress);
  void failpoint(std::string_view name) const {
    if (options_.on_failpoint) options_.on_failpoint(name);
  }

  LoadRunnerOptions options_;
  LimitsOf limits_of_;
  Clock& clock_;
  blockstore::StoreSet stores_;
  std::atomic<int64_t> at_once_ = 5;
  async::Semaphore downloads_;
  std::atomic<bool> stopped_ = false;
  async::Pool pool_;  // destroyed first: its work may use the stores
};

}  // namespace pegmove::server::replica
