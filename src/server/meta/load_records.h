// What the meta server keeps of bulk loads: in Pegasus in ZooKeeper, here in
// `<folder>/bulk_loads.json`, so that a server that was killed goes on with them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "bulk_load_types.h"
#include "bulkload/layout.h"
#include "wire/error_code.h"

namespace pegmove::server::meta {

// The last bulk load of a table.
struct LoadRecord {
  int32_t app_id = 0;
  std::string table;
  std::string provider;
  bulkload::Place place;
  bool behind = false;
  int64_t load = 0;    // names it for the nodes: unix milliseconds of its start
  int64_t end_ms = 0;  // 0: not ended
  wire::bulk_load_status status = wire::BLS_DOWNLOADING;
  std::vector<wire::bulk_load_status> partitions;
  wire::ErrorCode error = wire::ErrorCode::kOk;  // why it failed
  std::string reason = {};
  int64_t writes_held_us = 0;  // of the partition that refused them longest
  bool is_over = false;        // and its files on the nodes are gone

  bool operator==(const LoadRecord&) const = default;
};

using LoadState = std::map<int32_t, LoadRecord>;  // by app id

std::string encode_loads(const LoadState& state);
// Errors: kCorrupt, saying what is wrong.
Result<LoadState> decode_loads(std::string_view text);

// "BLS_DOWNLOADING"
std::string_view status_name(wire::bulk_load_status status);

// The state and its file. Used by one thread; one process a folder.
class LoadBook {
 public:
  // Errors: kIo; kCorrupt, naming the file, which is left as it is.
  static Result<LoadBook> open(const std::string& folder);

  LoadState& state() { return state_; }
  const LoadState& state() const { return state_; }
  Result<void> save() const;  // to the disk. Errors: kIo

 private:
  explicit LoadBook(std::string path) : path_(std::move(path)) {}
  std::string path_;
  LoadState state_;
};

}  // namespace pegmove::server::meta
