// Metrics of a replica server: of each replica, and of the node. Names, units and meaning are
// Pegasus's (src/server/pegasus_server_impl.cpp, src/replica/replica_base.cpp, replica_stub.cpp);
// descriptions are ours.
#pragma once

#include <array>
#include <chrono>
#include <memory>

#include "async/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "metrics/registry.h"
#include "net/rpc_server.h"
#include "server/replica/admission.h"
#include "server/replica/duplication/duplication_metrics.h"
#include "store/partition_db.h"

namespace pegmove::server::replica {

// Of the node, in the entity "server". Safe from any thread. Refers to the entity, which must
// outlive it. Also observes calls for partitions that are not served here.
class NodeMetrics : public net::CallObserver {
 public:
  NodeMetrics(metrics::Entity& server, Logger log);

  void answered(const net::Answered& answer) override;
  // Gauges that are read, not counted.
  void set_replicas(size_t primaries, size_t secondaries);
  void set_storage(const store::StoreResources& resources);
  // Logs calls that are answered with an error.
  void set_verbose(bool verbose) { is_verbose_ = verbose; }

 private:
  Logger log_;
  std::atomic<bool> is_verbose_ = false;
  metrics::Counter& read_failed_;
  metrics::Counter& read_busy_;
  metrics::Counter& write_failed_;
  metrics::Counter& write_busy_;
  metrics::Gauge& total_replicas_;
  metrics::Gauge& primary_replicas_;
  metrics::Gauge& secondary_replicas_;
  metrics::Gauge& block_cache_;
  metrics::Gauge& memtables_;
  metrics::Gauge& mutable_memtables_;
};

// Of one replica. Safe from any thread. Observes the replica's calls: the caller that passes one to
// the replica sets it as observer.
class ReplicaMetrics : public net::CallObserver {
 public:
  ReplicaMetrics(metrics::Registry& registry, Gpid gpid, std::shared_ptr<NodeMetrics> node,
                 const Clock& clock);

  void answered(const net::Answered& answer) override;
  // Counts a request that was carried out. Bytes are those of the bodies.
  void count(wire::RpcCode code, size_t request_bytes, size_t reply_bytes,
             std::chrono::nanoseconds taken);
  // Counts a request that a throttle delayed or refused; others are not counted.
  void count_throttled(const Admission& admission, bool is_backup, wire::RpcCode code);
  // Gauges of the database.
  void set_storage(const store::PartitionStatistics& statistics);

 private:
  struct Operation {
    metrics::Counter* requests = nullptr;
    metrics::Counter* bytes = nullptr;  // some operations have none in Pegasus
    metrics::Percentile* latency = nullptr;
  };
  struct StorageGauges {
    explicit StorageGauges(metrics::Entity& entity);
    metrics::Gauge& files;
    metrics::Gauge& file_mb;
    metrics::Gauge& rows;
    metrics::Gauge& memtables;
    metrics::Gauge& table_readers;
  };
  void add_operations();
  metrics::Counter& counter(const char* name, const char* unit, const char* description);

  std::shared_ptr<metrics::Entity> entity_;  // shared with the registry while it is read
  std::shared_ptr<NodeMetrics> node_;        // of all replicas of the node
  const Clock& clock_;
  std::array<Operation, size_t(wire::RpcCode::kClearScanner) + 1> operations_ = {};  // by code
  StorageGauges storage_;
  metrics::Counter& committed_requests_;
  metrics::Counter& read_capacity_units_;
  metrics::Counter& write_capacity_units_;

 public:
  // Incremented from outside.
  metrics::Counter& read_expired_values;
  metrics::Counter& read_filtered_values;
  metrics::Counter& throttling_delayed_read_requests;
  metrics::Counter& throttling_rejected_read_requests;
  metrics::Counter& throttling_delayed_write_requests;
  metrics::Counter& throttling_rejected_write_requests;
  metrics::Counter& throttling_delayed_backup_requests;
  metrics::Counter& throttling_rejected_backup_requests;
  metrics::Counter& dup_rejected_non_idempotent_write_requests;
  metrics::Counter& backup_started_count;
  metrics::Counter& backup_successful_count;
  metrics::Counter& backup_failed_count;
  metrics::Counter& backup_cancelled_count;
  metrics::Counter& backup_file_upload_successful_count;
  metrics::Counter& backup_file_upload_failed_count;
  metrics::Counter& backup_file_upload_total_bytes;
  metrics::Counter& bulk_load_downloading_count;
  metrics::Counter& bulk_load_ingesting_count;
  metrics::Counter& bulk_load_successful_count;
  metrics::Counter& bulk_load_failed_count;
  metrics::Counter& bulk_load_download_file_successful_count;
  metrics::Counter& bulk_load_download_file_failed_count;
  metrics::Counter& bulk_load_download_file_bytes;
  metrics::Counter& bulk_load_ingestion_rejected_write_requests;
  metrics::Gauge& backup_running_count;
  metrics::Gauge& backup_max_duration_ms;
  metrics::Gauge& backup_file_upload_max_bytes;
  DuplicationMetrics duplication;
};

// True for the codes that change something.
constexpr bool is_write(wire::RpcCode code) {
  return code >= wire::RpcCode::kPut && code < wire::RpcCode::kGet;
}

}  // namespace pegmove::server::replica
