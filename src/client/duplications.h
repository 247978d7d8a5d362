// Duplications of tables to other clusters: requests to the source cluster's meta server. Pegasus:
// idl/duplication.thrift; src/meta/duplication/meta_duplication_service.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/cluster.h"

namespace pegmove::client {

// The numbers are on the wire (duplication_status, duplication_fail_mode).
enum class DuplicationStatus {
  kInit = 0,
  kPrepare = 1,  // the source makes checkpoints, and the target table is created
  kApp = 2,      // the target fetches the checkpoints
  kLog = 3,      // what clients write is shipped
  kPause = 4,
  kRemoved = 5,
};
enum class DuplicationFailMode { kSlow = 0, kSkip = 1, kFast = 2 };

// "DS_LOG", "FAIL_SLOW"; "DS_INIT" and "FAIL_SLOW" for numbers that are none.
std::string duplication_status_name(DuplicationStatus status);
std::string duplication_fail_mode_name(DuplicationFailMode mode);

struct DuplicatedPartition {
  // The target has everything up to it; -1: real servers do not know it for the first seconds.
  // THOSE ANSWER WHAT THE LAST REPORT OF THE REPLICA SERVER SAID: a backlog does not show in these
  // two while nothing is confirmed. Ask the replica servers before rows are trusted to be there.
  int64_t confirmed_decree = -1;
  int64_t last_committed_decree = -1;
  // Of embedded clusters only. Shipping has ended, and why; nothing is sent for now, and why.
  std::string error = {};
  std::string waits_for = {};
};

struct Duplication {
  int32_t id = 0;
  DuplicationStatus status = DuplicationStatus::kInit;
  DuplicationFailMode fail_mode = DuplicationFailMode::kSlow;
  std::string remote;  // the target cluster's name
  std::string remote_table;
  int32_t remote_replica_count = 0;
  int64_t create_ms = 0;                                // unix milliseconds
  std::map<int32_t, DuplicatedPartition> partitions{};  // by index
  std::string waits_for = {};  // of embedded clusters only: why the target table is not complete
};

struct DuplicationRequest {
  std::string table;
  std::string remote;  // the target cluster's name, as the source's [pegasus.clusters] has it
  // The target table is created with the rows that the source has. Otherwise it must exist, and
  // gets what is written from now on.
  bool with_checkpoint = false;
  std::string remote_table = {};     // empty: the same name
  int32_t remote_replica_count = 0;  // 0: as many as the source table has
};

struct AddedDuplication {
  int32_t app_id = 0;
  int32_t id = 0;
  bool has_existed = false;  // the table had a duplication to this cluster: this one
  // Nothing: the server is too old for these options, and ignored them.
  std::optional<std::string> remote_table = {};
  std::optional<int32_t> remote_replica_count = {};
};

struct TableDuplications {
  std::string table;
  int32_t app_id = 0;
  int32_t partition_count = 0;  // 0: not known
  std::vector<Duplication> duplications{};
};

// How a pattern is compared with table names.
enum class PatternMatch { kAll = 1, kExact = 2, kAnywhere = 3, kPrefix = 4, kPostfix = 5 };

// Errors of all: as Cluster's calls, with the server's hint; kNotFound: no such table.

// May be repeated: has_existed. Embedded clusters answer when all later writes will be shipped;
// real servers lose what is written for up to ten seconds more. Errors: kInvalidArgument: the
// target is this cluster, or is missing in the source's [duplication-group] or [pegasus.clusters],
// or another table is duplicated to the same one.
Task<AddedDuplication> add_duplication(Cluster& cluster, DuplicationRequest request,
                                       Deadline deadline);
// Errors: kNotFound, also for an unknown id (wire code ERR_OBJECT_NOT_FOUND); kInvalidArgument: not
// possible in the present state; kBusy.
Task<> set_duplication_status(Cluster& cluster, std::string table, int32_t id,
                              DuplicationStatus status, Deadline deadline);
Task<> set_duplication_fail_mode(Cluster& cluster, std::string table, int32_t id,
                                 DuplicationFailMode mode, Deadline deadline);
Task<TableDuplications> table_duplications(Cluster& cluster, std::string table, Deadline deadline);
// Of all available tables with such a name, also those without duplications, by name.
Task<std::vector<TableDuplications>> list_duplications(Cluster& cluster, std::string pattern,
                                                       PatternMatch match, Deadline deadline);

}  // namespace pegmove::client
