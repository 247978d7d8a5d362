// Bulk loads of tables. Pegasus: src/meta/meta_bulk_load_service.cpp. As there,
//
//   DOWNLOADING -> DOWNLOADED -> INGESTING -> SUCCEED
//        |  ^                        |
//     PAUSING -> PAUSED           FAILED, CANCELED
//
// for the table and for each of its partitions. Unlike in Pegasus, no step waits for a timer; no
// partition ingests files before those of all partitions were checked; and a killed server resumes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bulk_load_types.h"
#include "meta_view/node_address.h"
#include "server/meta/backup/backup_context.h"
#include "server/meta/load/load_work.h"

namespace pegmove::server::meta {

// On the context's executor, which outlives it.
class BulkLoads {
 public:
  // Settings of [meta_server], read when they are needed.
  struct Limits {
    std::function<bool()> several_at_once;          // enable_concurrent_bulk_load
    std::function<int64_t()> ingestions_of_a_node;  // at once: bulk_load_node_max_ingesting_count
                                                    // spread over bulk_load_node_min_disk_count
  };
  BulkLoads(BackupContext& context, LoadState records, Limits limits)
      : context_(context),
        records_(std::move(records)),
        limits_(std::move(limits)),
        work_(context_, records_, limits_.ingestions_of_a_node) {}

  // Resumes the loads that have not ended.
  void resume();
  // Ends the load of a dropped table.
  void table_dropped(int32_t app_id);
  // Whether the load of the table is still being worked on, so that its record must stay.
  bool is_busy(int32_t app_id) const { return work_.is_busy(app_id); }
  // The store has removed the table.
  void forget_table(int32_t app_id) { records_.erase(app_id); }

  // The requests, with Pegasus's errors and hints. A load is on disk when its request is answered.
  Routine<wire::start_bulk_load_response> start(wire::start_bulk_load_request request);
  wire::control_bulk_load_response control(const wire::control_bulk_load_request& request);
  wire::query_bulk_load_response query(const wire::query_bulk_load_request& request,
                                       meta_view::HostPorts host_ports) const;
  wire::clear_bulk_load_state_response clear(const wire::clear_bulk_load_state_request& request);

  // All loads, or that of a table, as JSON text: with bytes, and how long writes were blocked.
  std::string status(int32_t app_id) const;

 private:
  struct Refusal {
    wire::ErrorCode code;
    std::string hint;
  };
  std::optional<Refusal> check_table(const std::string& table, std::string_view missing,
                                     std::string_view dropped) const;
  std::optional<Refusal> check_available(const std::string& table) const;
  std::optional<Refusal> check_start(const wire::start_bulk_load_request& request) const;
  Result<void> note(const wire::start_bulk_load_request& request, bulkload::Place place);
  wire::partition_bulk_load_state state_of(const LoadRecord& record, size_t partition) const;

  BackupContext& context_;
  LoadState records_;
  Limits limits_;
  LoadWork work_;
};

}  // namespace pegmove::server::meta
