// What the tests of this folder share: a folder of their own, and journals that must open.
#pragma once

#include <sqlite3.h>

#include <stdexcept>
#include <string>

#include "journal/journal.h"
#include "testing/test_folder.h"

namespace pegmove::journal {

using testing::read_file;
using testing::TestFolder;
using testing::write_file;

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
