// Duplications of tables to other clusters, as tools see them: add, change, remove, show. Pegasus:
// src/meta/duplication/meta_duplication_service.cpp.
//
// Unlike there, add is answered when every partition keeps its log: all writes that are answered
// later reach the target. And a request cannot take a duplication to DS_APP or out of it: real
// servers allow that, and the target misses rows.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "async/event.h"
#include "meta_types.h"
#include "server/meta/duplication/duplication_work.h"

namespace pegmove::server::meta {

// On the context's executor, which outlives it.
class Duplications {
 public:
  Duplications(BackupContext& context, DuplicationState records, DuplicationOptions options,
               FollowerPort follower);

  // Begins to watch the progress, and resumes what has not ended.
  void resume();
  // A node has begun to serve the partition: it gets its assignments, or drops its log.
  void partition_served(Gpid gpid) { work_.send(gpid); }
  // Duplications of a dropped table rest. They continue when it is recalled; then all that its
  // clients have written before the drop is shipped.
  // When another table has taken their target table meanwhile, they are paused.
  void table_recalled(int32_t app_id);
  // What is to be written together with the recall of the table.
  MetaBatch recalling(int32_t app_id) const;
  // While a target table is being made, it asks for the table by its name. Returns why the table
  // cannot be renamed now; nothing: it can.
  std::optional<std::string> needs_name_of(int32_t app_id) const;
  // Whether a duplication of the table is being worked on, so that its record must stay.
  bool is_busy(int32_t app_id) const { return work_.is_busy(app_id); }
  // The store has removed the table.
  void forget_table(int32_t app_id) { records_.erase(app_id); }

  // The requests, with Pegasus's errors and hints. A change is on disk when its request is
  // answered.
  Routine<wire::duplication_add_response> add(wire::duplication_add_request request);
  wire::duplication_modify_response modify(const wire::duplication_modify_request& request);
  wire::duplication_query_response query(const wire::duplication_query_request& request) const;
  wire::duplication_list_response list(const wire::duplication_list_request& request) const;

 private:
  struct Refusal {
    wire::ErrorCode code;
    std::string hint;
  };
  std::optional<Refusal> check_remote(const wire::duplication_add_request& request) const;
  std::optional<Refusal> check_cluster_id(const std::string& cluster) const;
  std::optional<Refusal> check_table(const wire::duplication_add_request& request) const;
  std::optional<Refusal> check_rivals(const DuplicationRecord& record) const;
  bool must_pause(const DuplicationRecord& record) const;
  Routine<wire::duplication_add_response> add_new(wire::duplication_add_request request,
                                                  int32_t app_id);
  wire::duplication_add_response add_existing(const wire::duplication_add_request& request,
                                              DuplicationRecord& record);
  // Of all partitions: where their logs begin.
  Task<std::vector<int64_t>> keep_logs(int32_t app_id);
  Task<int64_t> keep_log(int32_t app_id, int32_t partition);
  bool note_new(const DuplicationRecord& record);
  wire::ErrorCode change(DuplicationRecord& record, wire::duplication_status status,
                         wire::duplication_fail_mode fail_mode);
  bool remove(const DuplicationRecord& record);
  int32_t next_id();
  wire::duplication_entry entry_of(const DuplicationRecord& record) const;

  BackupContext& context_;
  DuplicationState records_;
  DuplicationOptions options_;
  DuplicationWork work_;
  int32_t last_id_ = 0;  // ids grow, so that a removed duplication is never taken for a new one
  async::Event one_added_;
};

// The answer of HTTP GET /meta/app/duplication: JSON text.
std::string to_json_text(const wire::duplication_query_response& response);

}  // namespace pegmove::server::meta
