// The meta server's records of bulk loads: Pegasus keeps them in ZooKeeper; here they are in its
// store, so that a killed server resumes them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "bulk_load_types.h"
#include "bulkload/layout.h"
#include "server/meta/store/meta_values.h"
#include "wire/error_code.h"

namespace pegmove::server::meta {

// The last bulk load of a table.
struct LoadRecord {
  int32_t app_id = 0;
  std::string table;
  std::string provider;
  bulkload::Place place;
  bool behind = false;
  int64_t load = 0;    // its id for the nodes: unix milliseconds of its start
  int64_t end_ms = 0;  // 0: not ended
  wire::bulk_load_status status = wire::BLS_DOWNLOADING;
  std::vector<wire::bulk_load_status> partitions;
  wire::ErrorCode error = wire::ErrorCode::kOk;  // why it failed
  std::string reason = {};
  int64_t writes_held_us = 0;  // the longest of all partitions
  bool is_over = false;        // ended, and its files on the nodes are removed

  bool operator==(const LoadRecord&) const = default;
};

using LoadState = std::map<int32_t, LoadRecord>;  // by app id

// Null when there is none.
LoadRecord* find_load(LoadState& loads, int32_t app_id);
const LoadRecord* find_load(const LoadState& loads, int32_t app_id);

// It has succeeded, failed, or was cancelled.
bool is_final(wire::bulk_load_status status);

// Put their values into the batch, each a JSON object.
void put_load(MetaBatch& batch, const LoadRecord& record);  // without its partitions
void put_loaded_partition(MetaBatch& batch, const LoadRecord& record, size_t partition);
void put_whole_load(MetaBatch& batch, const LoadRecord& record);  // replaces the last one
void remove_load(MetaBatch& batch, int32_t app_id);

// Errors: kCorrupt, naming the path of the value and what is wrong.
Result<LoadState> read_loads(const MetaValues& values);

// "BLS_DOWNLOADING"
std::string_view status_name(wire::bulk_load_status status);

}  // namespace pegmove::server::meta
