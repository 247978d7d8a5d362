// The work of bulk loads: nodes download the files of all partitions, then ingest them, a few at
// once; at the end the remaining files are removed. Each step is repeatable.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "async/semaphore.h"
#include "bulkload/node_requests.h"
#include "server/meta/backup/backup_context.h"
#include "server/meta/load/load_records.h"

namespace pegmove::server::meta {

// On the context's executor. The context and the records, which it updates, outlive it.
class LoadWork {
 public:
  using Progress = std::vector<std::shared_ptr<bulkload::LoadProgress>>;  // shared with the nodes

  // `ingestions_of_a_node`: how many partitions of a node ingest files at once, read when it is
  // needed.
  LoadWork(BackupContext& context, LoadState& records,
           std::function<int64_t()> ingestions_of_a_node)
      : context_(context),
        records_(records),
        ingestions_of_a_node_(std::move(ingestions_of_a_node)) {}

  // Starts or resumes the load of a table, until it has ended. To end it earlier, change the status
  // of its record and cancel().
  void start(int32_t app_id);
  // Removes the files of a load that has a final status and is not being worked on.
  void clean_up(int32_t app_id);
  // Asks the nodes to stop. False: it is not being worked on.
  bool cancel(int32_t app_id);
  bool is_busy(int32_t app_id) const { return active_.contains(app_id); }
  // By partition; null when it is not being worked on.
  const Progress* progress(int32_t app_id) const;

 private:
  Routine<> work(int32_t app_id);
  Task<> carry_out(int32_t app_id);
  Task<> download(int32_t app_id, int32_t partition);
  Task<> download_once(int32_t app_id, int32_t partition,
                       std::shared_ptr<bulkload::LoadProgress> progress);
  Task<> ingest(int32_t app_id, int32_t partition);
  Task<> ingest_in_turn(int32_t app_id, int32_t partition, int node);
  Routine<> clean(int32_t app_id);
  bool note_over(int32_t app_id);
  // Waits until the node serves the partition. Errors: kInterrupted.
  Task<> wait_for_node(int32_t app_id, int32_t partition);
  Result<int> node_of(int32_t app_id, int32_t partition) const;
  bulkload::LoadRequest request(const LoadRecord& record, int32_t partition) const;
  Result<void> set_partition(int32_t app_id, int32_t partition, wire::bulk_load_status status);
  void end(int32_t app_id, const Result<void>& outcome);

  BackupContext& context_;
  LoadState& records_;
  std::function<int64_t()> ingestions_of_a_node_;
  std::map<int, async::Semaphore> ingestions_;  // by node
  std::map<int32_t, Progress> active_;          // by app id: those that are being worked on
};

// The table's record with is_bulk_loading changed; nothing when it has that value already.
std::optional<AppRecord> table_with_loading(const AppCatalog& catalog, int32_t app_id,
                                            bool is_loading);

}  // namespace pegmove::server::meta
