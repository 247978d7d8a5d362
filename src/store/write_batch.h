// Changes that reach a database together or not at all.
#pragma once

#include <rocksdb/write_batch.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "store/received_positions.h"

namespace pegmove::store {

// Made by PartitionDb::new_batch(), applied by PartitionDb::write(). Later changes of one key win.
// For one thread at a time.
class WriteBatch {
 public:
  // The value header depends on the data version, 0 or 1 (record/value.h).
  explicit WriteBatch(int data_version, size_t expected_bytes = 0)
      : data_version_(data_version), batch_(expected_bytes) {}

  // Stores a row. `expire_ts` in Pegasus seconds, 0 = never; the timetag is dropped in data version
  // 0. Keys shorter than two bytes are stored, and no cursor shows them.
  void put(std::string_view raw_key, std::string_view value, uint32_t expire_ts, uint64_t timetag);
  // Removes a row; one that is not there is no error.
  void remove(std::string_view raw_key);
  // The rows came from another cluster, up to this position of its log; the last call counts.
  void set_received(const Received& received) { received_ = received; }
  void clear();

  size_t count() const { return static_cast<size_t>(batch_.Count()); }  // puts and removes
  size_t bytes() const { return batch_.GetDataSize(); }                 // as they go to the log
  int data_version() const { return data_version_; }

 private:
  friend class PartitionDb;

  int data_version_;
  rocksdb::WriteBatch batch_;
  std::optional<Received> received_;
  rocksdb::Status first_error_;  // a key or value of more than 4 GiB; write() reports it
};

}  // namespace pegmove::store
