// The meta server's records of duplications, in its store at the paths that Pegasus has in
// ZooKeeper (src/meta/duplication/duplication_info.h):
//   /apps/<app id>/duplication/<id>              a duplication, without its progress
//   /apps/<app id>/duplication/<id>/<partition>  confirmed decree of the partition, a number
// They are removed with their table.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "meta_types.h"
#include "server/meta/store/meta_values.h"

namespace pegmove::server::meta {

struct DuplicationRecord {
  int32_t app_id = 0;
  int32_t id = 0;      // dupid
  std::string remote;  // the target cluster's name
  std::string remote_table;
  int32_t remote_replica_count = 1;
  wire::duplication_status status = wire::DS_LOG;  // PREPARE, APP, LOG or PAUSE
  wire::duplication_fail_mode fail_mode = wire::FAIL_SLOW;
  int64_t create_ms = 0;
  // In DS_PREPARE: `confirmed` has the decrees of the checkpoints, and the target may have begun to
  // fetch these; from then on `confirmed` follows the target alone.
  bool is_checkpoint_ready = false;
  std::vector<int64_t> confirmed;  // by partition: the target has everything up to this decree

  bool operator==(const DuplicationRecord&) const = default;
};

using TableDuplications = std::map<int32_t, DuplicationRecord>;  // by id
using DuplicationState = std::map<int32_t, TableDuplications>;   // by app id; none is empty

// Null when there is none.
DuplicationRecord* find_duplication(DuplicationState& state, int32_t app_id, int32_t id);

// Put their values into the batch.
void put_duplication(MetaBatch& batch, const DuplicationRecord& record);  // without its progress
void put_confirmed(MetaBatch& batch, const DuplicationRecord& record, size_t partition,
                   int64_t decree);
void put_whole_duplication(MetaBatch& batch, const DuplicationRecord& record);
void remove_duplication(MetaBatch& batch, const DuplicationRecord& record);

// Errors: kCorrupt, naming the path of the value and what is wrong.
Result<DuplicationState> read_duplications(const MetaValues& values);

// "DS_LOG", "FAIL_SLOW"; "DS_INIT" and "FAIL_SLOW" for other numbers.
std::string_view status_name(wire::duplication_status status);
std::string_view fail_mode_name(wire::duplication_fail_mode mode);

}  // namespace pegmove::server::meta
