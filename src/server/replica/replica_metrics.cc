#include "server/replica/replica_metrics.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/write_buffer_manager.h>

namespace pegmove::server::replica {
namespace {

using metrics::Kind;
using metrics::MetricInfo;
using wire::ErrorCode;
using wire::RpcCode;

constexpr size_t kCapacityUnitBytes = 4096;

MetricInfo gauge(std::string_view name, std::string_view unit, std::string_view description) {
  return {.name = name, .kind = Kind::kGauge, .unit = unit, .description = description};
}

MetricInfo requests(std::string_view name, std::string_view description) {
  return {.name = name, .kind = Kind::kCounter, .unit = "Requests", .description = description};
}

struct OperationNames {
  RpcCode code;
  std::string_view requests;
  std::string_view bytes;  // empty: none
  std::string_view latency;
};

// Several codes may share their metrics.
constexpr OperationNames kOperations[] = {
    {RpcCode::kGet, "get_requests", "get_bytes", "get_latency_ns"},
    {RpcCode::kMultiGet, "multi_get_requests", "multi_get_bytes", "multi_get_latency_ns"},
    {RpcCode::kBatchGet, "batch_get_requests", "batch_get_bytes", "batch_get_latency_ns"},
    {RpcCode::kGetScanner, "scan_requests", "scan_bytes", "scan_latency_ns"},
    {RpcCode::kScan, "scan_requests", "scan_bytes", "scan_latency_ns"},
    {RpcCode::kSortkeyCount, "scan_requests", "scan_bytes", "scan_latency_ns"},
    {RpcCode::kPut, "put_requests", "put_bytes", "put_latency_ns"},
    {RpcCode::kMultiPut, "multi_put_requests", "multi_put_bytes", "multi_put_latency_ns"},
    {RpcCode::kRemove, "remove_requests", "", "remove_latency_ns"},
    {RpcCode::kMultiRemove, "multi_remove_requests", "", "multi_remove_latency_ns"},
    {RpcCode::kIncr, "incr_requests", "", "incr_latency_ns"},
    {RpcCode::kCheckAndSet, "check_and_set_requests", "check_and_set_bytes",
     "check_and_set_latency_ns"},
    {RpcCode::kCheckAndMutate, "check_and_mutate_requests", "check_and_mutate_bytes",
     "check_and_mutate_latency_ns"},
};

int64_t capacity_units(size_t bytes) {
  return int64_t(std::max<size_t>(1, (bytes + kCapacityUnitBytes - 1) / kCapacityUnitBytes));
}

metrics::Attributes attributes_of(Gpid gpid) {
  return {{"table_id", std::to_string(gpid.app_id)},
          {"partition_id", std::to_string(gpid.partition_index)}};
}

}  // namespace

NodeMetrics::NodeMetrics(metrics::Entity& server, Logger log)
    : log_(std::move(log)),
      read_failed_(
          server.counter(requests("read_failed_requests", "Reads answered with an error"))),
      read_busy_(server.counter(requests("read_busy_requests", "Reads answered with ERR_BUSY"))),
      write_failed_(
          server.counter(requests("write_failed_requests", "Writes answered with an error"))),
      write_busy_(server.counter(requests("write_busy_requests", "Writes answered with ERR_BUSY"))),
      total_replicas_(server.gauge(gauge("total_replicas", "Replicas", "Replicas served"))),
      primary_replicas_(server.gauge(gauge("primary_replicas", "Replicas", "Primary replicas"))),
      secondary_replicas_(
          server.gauge(gauge("secondary_replicas", "Replicas", "Secondary replicas"))),
      block_cache_(server.gauge(
          gauge("rdb_block_cache_mem_usage_bytes", "Bytes", "Block cache of all replicas"))),
      memtables_(server.gauge(
          gauge("rdb_wbm_total_mem_usage_bytes", "Bytes", "Memtables of all replicas"))),
      mutable_memtables_(server.gauge(gauge("rdb_wbm_mutable_mem_usage_bytes", "Bytes",
                                            "Memtables that still accept writes"))) {
  // Always 0 here, but tools add them up.
  for (const char* name : {"opening_replicas", "closing_replicas", "inactive_replicas",
                           "error_replicas", "learning_replicas", "splitting_replicas"})
    server.gauge(gauge(name, "Replicas", "Always 0"));
}

void NodeMetrics::answered(const net::Answered& answer) {
  if (answer.error == ErrorCode::kOk) return;
  bool is_busy = answer.error == ErrorCode::kBusy;
  if (is_write(answer.code))
    (is_busy ? write_busy_ : write_failed_).add();
  else
    (is_busy ? read_busy_ : read_failed_).add();
  if (is_verbose_)
    log_.error(fmt::format("answered {} for {}: {}", answer.head.name, answer.head.gpid.to_string(),
                           wire::error_name(answer.error)));
}

void NodeMetrics::set_replicas(size_t primaries, size_t secondaries) {
  total_replicas_.set(int64_t(primaries + secondaries));
  primary_replicas_.set(int64_t(primaries));
  secondary_replicas_.set(int64_t(secondaries));
}

void NodeMetrics::set_storage(const store::StoreResources& resources) {
  block_cache_.set(int64_t(resources.block_cache->GetUsage()));
  memtables_.set(int64_t(resources.write_buffers->memory_usage()));
  mutable_memtables_.set(int64_t(resources.write_buffers->mutable_memtable_memory_usage()));
}

ReplicaMetrics::StorageGauges::StorageGauges(metrics::Entity& entity)
    : files(entity.gauge(gauge("rdb_total_sst_files", "Files", "Table files"))),
      file_mb(entity.gauge(gauge("rdb_total_sst_size_mb", "MegaBytes", "Size of table files"))),
      rows(entity.gauge(gauge("rdb_estimated_keys", "Keys", "RocksDB's estimate of its keys"))),
      memtables(entity.gauge(
          gauge("rdb_memtable_mem_usage_bytes", "Bytes", "Memtables of the database"))),
      table_readers(entity.gauge(gauge("rdb_index_and_filter_blocks_mem_usage_bytes", "Bytes",
                                       "Indexes and filters outside of the block cache"))) {}

ReplicaMetrics::ReplicaMetrics(metrics::Registry& registry, Gpid gpid,
                               std::shared_ptr<NodeMetrics> node, const Clock& clock)
    : entity_(registry.add("replica", "replica@" + gpid.to_string(), attributes_of(gpid))),
      node_(std::move(node)),
      clock_(clock),
      storage_(*entity_),
      committed_requests_(counter("committed_requests", "Requests", "Completed writes")),
      read_capacity_units_(counter("read_capacity_units", "CapacityUnits", "4 KiB of reads each")),
      write_capacity_units_(
          counter("write_capacity_units", "CapacityUnits", "4 KiB of writes each")),
      read_expired_values(counter("read_expired_values", "Values", "Expired rows found by reads")),
      read_filtered_values(
          counter("read_filtered_values", "Values", "Rows that reads left out by their filters")),
      throttling_delayed_read_requests(
          counter("throttling_delayed_read_requests", "Requests", "Reads that had to wait")),
      throttling_rejected_read_requests(
          counter("throttling_rejected_read_requests", "Requests", "Reads refused as too many")),
      throttling_delayed_write_requests(
          counter("throttling_delayed_write_requests", "Requests", "Writes that had to wait")),
      throttling_rejected_write_requests(
          counter("throttling_rejected_write_requests", "Requests", "Writes refused as too many")),
      throttling_delayed_backup_requests(counter("throttling_delayed_backup_requests", "Requests",
                                                 "Backup requests that had to wait")),
      throttling_rejected_backup_requests(
          counter("throttling_rejected_backup_requests", "Requests", "Backup requests refused")),
      dup_rejected_non_idempotent_write_requests(
          counter("dup_rejected_non_idempotent_write_requests", "Requests",
                  "Writes that a duplicated table refuses")),
      backup_started_count(counter("backup_started_count", "Backups", "Backups begun")),
      backup_successful_count(counter("backup_successful_count", "Backups", "Backups done")),
      backup_failed_count(counter("backup_failed_count", "Backups", "Backups that failed")),
      backup_cancelled_count(counter("backup_cancelled_count", "Backups", "Backups cancelled")),
      backup_file_upload_successful_count(
          counter("backup_file_upload_successful_count", "Files", "Files uploaded to a backup")),
      backup_file_upload_failed_count(counter("backup_file_upload_failed_count", "Files",
                                              "Files that could not be uploaded to a backup")),
      backup_file_upload_total_bytes(
          counter("backup_file_upload_total_bytes", "Bytes", "Bytes sent to backups")),
      bulk_load_downloading_count(
          counter("bulk_load_downloading_count", "BulkLoads", "Downloads for bulk loads begun")),
      bulk_load_ingesting_count(
          counter("bulk_load_ingesting_count", "BulkLoads", "Ingestions of bulk loads begun")),
      bulk_load_successful_count(
          counter("bulk_load_successful_count", "BulkLoads", "Bulk loads that succeeded")),
      bulk_load_failed_count(
          counter("bulk_load_failed_count", "BulkLoads", "Bulk loads that failed")),
      bulk_load_download_file_successful_count(counter("bulk_load_download_file_successful_count",
                                                       "Files", "Files of bulk loads downloaded")),
      bulk_load_download_file_failed_count(
          counter("bulk_load_download_file_failed_count", "Files",
                  "Files of bulk loads that could not be downloaded")),
      bulk_load_download_file_bytes(
          counter("bulk_load_download_file_bytes", "Bytes", "Bytes of bulk loads downloaded")),
      bulk_load_ingestion_rejected_write_requests(
          counter("bulk_load_ingestion_rejected_write_requests", "Requests",
                  "Writes refused while files were ingested")),
      backup_running_count(
          entity_->gauge(gauge("backup_running_count", "Backups", "Running backups"))),
      backup_max_duration_ms(entity_->gauge(
          gauge("backup_max_duration_ms", "MilliSeconds", "How long the backup has been running"))),
      backup_file_upload_max_bytes(entity_->gauge(
          gauge("backup_file_upload_max_bytes", "Bytes", "Uploaded so far by a running backup"))),
      duplication(*entity_) {
  add_operations();
}

metrics::Counter& ReplicaMetrics::counter(const char* name, const char* unit,
                                          const char* description) {
  return entity_->counter(
      {.name = name, .kind = Kind::kCounter, .unit = unit, .description = description});
}

void ReplicaMetrics::add_operations() {
  for (const auto& names : kOperations) {
    auto& operation = operations_.at(size_t(names.code));
    operation.requests = &entity_->counter(requests(names.requests, "Requests"));
    operation.latency = &entity_->percentile({.name = names.latency,
                                              .kind = Kind::kPercentile,
                                              .unit = "NanoSeconds",
                                              .description = "From arrival to answer"});
    if (!names.bytes.empty())
      operation.bytes = &entity_->counter({.name = names.bytes,
                                           .kind = Kind::kCounter,
                                           .unit = "Bytes",
                                           .description = "Bodies of requests; of reads: replies"});
  }
}

void ReplicaMetrics::answered(const net::Answered& answer) {
  node_->answered(answer);
  if (answer.error == ErrorCode::kOk)
    count(answer.code, answer.request_bytes, answer.reply_bytes, clock_.now() - answer.since);
}

void ReplicaMetrics::count(RpcCode code, size_t request_bytes, size_t reply_bytes,
                           std::chrono::nanoseconds taken) {
  auto bytes = is_write(code) ? request_bytes : reply_bytes;
  if (is_write(code)) {
    committed_requests_.add();
    write_capacity_units_.add(capacity_units(bytes));
  } else {
    read_capacity_units_.add(capacity_units(bytes));
  }
  if (size_t(code) >= operations_.size()) return;
  const auto& operation = operations_[size_t(code)];
  if (!operation.requests) return;
  operation.requests->add();
  operation.latency->record(taken.count());
  if (operation.bytes) operation.bytes->add(int64_t(bytes));
}

void ReplicaMetrics::count_throttled(const Admission& admission, bool is_backup, RpcCode code) {
  if (admission.kind == Admission::Kind::kPass) {
    if (admission.pause.count() == 0) return;
    (is_write(code) ? throttling_delayed_write_requests
     : is_backup    ? throttling_delayed_backup_requests
                    : throttling_delayed_read_requests)
        .add();
  } else if (admission.error == ErrorCode::kBusy) {
    (is_write(code) ? throttling_rejected_write_requests
     : is_backup    ? throttling_rejected_backup_requests
                    : throttling_rejected_read_requests)
        .add();
  }
}

void ReplicaMetrics::set_storage(const store::PartitionStatistics& statistics) {
  storage_.files.set(int64_t(statistics.files));
  storage_.file_mb.set(int64_t(statistics.file_bytes >> 20));
  storage_.rows.set(int64_t(statistics.estimated_rows));
  storage_.memtables.set(int64_t(statistics.memtable_bytes));
  storage_.table_readers.set(int64_t(statistics.table_reader_bytes));
}

}  // namespace pegmove::server::replica
