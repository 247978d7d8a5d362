// What the tests of this folder share: a folder of their own, files, and databases with plain rows.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>

#include "record/key.h"
#include "store/partition_db.h"

namespace pegmove::store {

// Deleted with all it holds.
class TestFolder {
 public:
  TestFolder() {
    std::string name = std::filesystem::temp_directory_path() / "pegmove_store_XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Name and content of all files of a folder.
inline std::map<std::string, std::string> contents(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files[entry.path().filename()] = read_file(entry.path());
  }
  return files;
}

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
