// SQLite behind Result: a connection, statements that are prepared once, transactions. It does not
// know what the tables mean. Every call blocks. One thread at a time uses a connection.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace pegmove::journal {

// What a file system may lack.
inline constexpr std::string_view kFileLocks = "file locks";
inline constexpr std::string_view kHardLinks = "hard links";
inline constexpr std::string_view kSharedMemory = "mappings of a file that processes share";

// The file system of the journal lacks something that the journal needs. `reason`: as
// the system or SQLite says it. Code: kUnsupported.
Error lacking_error(std::string_view path, std::string_view what, std::string_view reason);

// SQLite's last error on this connection, as an error that names the file, the operation, and the
// next step. Codes: kBusy (other processes kept the file locked, or there are no locks: SQLite does
// not tell the two apart), kCorrupt, kInvalidArgument (not a file of SQLite), kTooLarge, kIo,
// kUnsupported (lacking_error()), kInternal.
Error sqlite_error(sqlite3* connection, int code, std::string_view doing);

struct Blob {
  std::string_view bytes;
};

// One execution of a statement, from binding to reset. At most one at a time for each statement.
class Query {
 public:
  // Values are int64_t, texts and Blob; they are copied.
  template <typename... Values>
  Query(sqlite3_stmt* statement, std::string_view doing, const Values&... values)
      : statement_(statement), doing_(doing) {
    int index = 0;
    (bind(++index, values), ...);
  }
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  // Returns true when there is a row to read. Errors: sqlite_error(), also those of binding.
  Result<bool> next();
  // For statements without rows. Returns how many rows of tables were changed.
  Result<int64_t> run();

  // Columns of the row, from 0.
  int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string bytes(int column) const;  // of a TEXT or a BLOB

 private:
  void bind(int index, int64_t value);
  void bind(int index, std::string_view text);
  void bind(int index, Blob blob);
  void note(int code);

  sqlite3_stmt* statement_;
  std::string doing_;
  int bind_code_ = SQLITE_OK;
};

class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  template <typename... Values>
  Query query(std::string_view doing, const Values&... values) const {
    return Query(statement_.get(), doing, values...);
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// What a committed transaction survives. Both survive the end of the process.
enum class Durability {
  kProcess,  // a power cut may undo it, but never a part of it, and newer ones first
  kPower,    // survives a power cut, and so does everything that was committed before
};

class Connection {
 public:
  // Opens an existing file for reading and writing. `path` is absolute. Waits up to
  // `busy_timeout_ms` for locks of other processes.
  static Result<Connection> open(const std::string& path, int busy_timeout_ms);

  // Statements without values and without rows.
  Result<void> execute(const std::string& sql, std::string_view doing) const;
  // The first column of the only row; 0 when there is none.
  Result<int64_t> integer(const std::string& sql, std::string_view doing) const;
  Result<std::string> text(const std::string& sql, std::string_view doing) const;
  Result<Statement> prepare(std::string_view sql) const;

  // Runs `body`, which returns a Result, in a transaction that is the only writer of the file
  // (BEGIN IMMEDIATE). An error of the body, or of the commit, undoes it completely.
  template <typename Body>
  std::invoke_result_t<Body> transact(Durability durability, std::string_view doing, Body body) {
    TRY(begin(durability, doing));
    auto result = body();
    if (result) {
      auto committed = execute("COMMIT", doing);
      if (committed) return result;
      result = fail(std::move(committed).error());
    }
    roll_back();
    return result;
  }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  explicit Connection(sqlite3* connection) : connection_(connection) {}
  Result<void> begin(Durability durability, std::string_view doing);
  void roll_back();

  std::unique_ptr<sqlite3, Close> connection_;
  Durability durability_ = Durability::kPower;  // the connection's current setting
};

}  // namespace pegmove::journal
