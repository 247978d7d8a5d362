// What the tests of this folder share: a folder of their own, and journals that must open.
#pragma once

#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "journal/journal.h"

namespace pegmove::journal {

// Deleted with all it holds.
class TestFolder {
 public:
  TestFolder() {
    std::string name = std::filesystem::temp_directory_path() / "pegmove_journal_XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ / name; }
  size_t files() const {
    return size_t(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// The value of a result that must be good.
template <typename T>
T good(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// The error of a result that must be bad.
template <typename T>
Error bad(Result<T> result) {
  if (result) throw std::runtime_error("it passed");
  return std::move(result).error();
}

inline NewRun a_copy() {
  return {.method = "copy",
          .from = "127.0.0.1:34601",
          .to = "backup",
          .table = "users",
          .to_table = "users_copy",
          .options = R"({"create":true})"};
}

// Another program at the file: runs SQL on it.
inline void tamper(const std::string& path, const std::string& sql) {
  sqlite3* connection = nullptr;
  sqlite3_open(path.c_str(), &connection);
  const int code = sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr);
  const std::string text = sqlite3_errmsg(connection);
  sqlite3_close(connection);
  if (code != SQLITE_OK) throw std::runtime_error(sql + ": " + text);
}

}  // namespace pegmove::journal
