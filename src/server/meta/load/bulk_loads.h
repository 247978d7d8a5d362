// Bulk loads of tables. Pegasus: src/meta/meta_bulk_load_service.cpp. As there,
//
//   DOWNLOADING -> DOWNLOADED -> INGESTING -> SUCCEED
//        |  ^                        |
//     PAUSING -> PAUSED           FAILED, CANCELED
//
// for the table and for each of its partitions. Unlike there no step waits for a timer; no
// partition takes files in before those of all were looked at; and a server that is killed goes on.
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
  // Settings of [meta_server], as they are then.
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

  // Goes on with the loads that have not ended.
  void go_on();
  // Of a dropped table nothing is loaded any more.
  void table_dropped(int32_t app_id);
  // Whether something still works on the load of the table, so that its record must stay.
  bool is_busy(int32_t app_id) const { return work_.is_busy(app_id); }
  // The store has forgotten the table.
  void forget_table(int32_t app_id) { records_.erase(app_id); }

  // The requests, with Pegasus's errors and hints. A load is on the disk when it is answered.
  Routine<wire::start_bulk_load_response> start(wire::start_bulk_load_request request);
  wire::control_bulk_load_response control(const wire::control_bulk_load_request& request);
  wire::query_bulk_load_response query(const wire::query_bulk_load_request& request,
                                       meta_view::HostPorts host_ports) const;
  wire::clear_bulk_load_state_response clear(const wire::clear_bulk_load_state_request& request);

  // All loads, or that of a table, as JSON text: with bytes, and how long writes were held.
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
