// What the tests of this folder share: databases with plain rows, and folders for them.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "record/key.h"
#include "store/partition_db.h"
#include "testing/test_folder.h"

namespace pegmove::store {

using testing::contents;
using testing::read_file;
using testing::TestFolder;
using testing::write_file;

// For databases that must open.
inline std::unique_ptr<PartitionDb> open(const PartitionOptions& options) {
  auto db = PartitionDb::open(options);
  if (!db) throw std::runtime_error(db.error().to_string());
  return *std::move(db);
}

inline std::string row_key(int64_t number) {
  return record::encode_key("row" + std::to_string(number), "s");
}

// Row `number` with decree `number`.
inline Result<void> put_row(PartitionDb& db, int64_t number, const std::string& value) {
  WriteBatch batch = db.new_batch();
  batch.put(row_key(number), value, 0, 0);
  return db.write(batch, number);
}

inline bool has_row(const PartitionDb& db, int64_t number) {
  const auto value = db.get(row_key(number));
  return value && *value;
}

}  // namespace pegmove::store
