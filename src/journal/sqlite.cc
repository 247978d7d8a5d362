#include "journal/sqlite.h"

#include <fmt/format.h>

#include <utility>

namespace pegmove::journal {
namespace {

// Limit of one value that is read into memory, above the limits of journal.h.
constexpr int kMostValueBytes = 20 << 20;

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Code::kBusy;
    case SQLITE_CORRUPT: return Code::kCorrupt;
    case SQLITE_NOTADB: return Code::kInvalidArgument;
    case SQLITE_TOOBIG: return Code::kTooLarge;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM: return Code::kIo;
    default: return Code::kInternal;
  }
}

std::string_view next_step(Code code) {
  switch (code) {
    case Code::kBusy: return "; another process keeps it locked; try again";
    case Code::kCorrupt:
      return "; restore a copy of the file, or move it away (its runs are then lost)";
    case Code::kInvalidArgument:
      return "; it is not a journal of pegmove; give another file with --state";
    case Code::kIo:
      return "; check the disk space and the permissions, or choose a local file with --state";
    default: return "";
  }
}

// What the file system does not have when SQLite fails in this way; "": something else is wrong.
std::string_view lacking_part(int sqlite_code) {
  switch (sqlite_code) {
    case SQLITE_IOERR_LOCK:
    case SQLITE_IOERR_RDLOCK:
    case SQLITE_IOERR_UNLOCK:
    case SQLITE_IOERR_CHECKRESERVEDLOCK:
    case SQLITE_PROTOCOL: return kFileLocks;
    case SQLITE_IOERR_SHMOPEN:
    case SQLITE_IOERR_SHMLOCK:
    case SQLITE_IOERR_SHMMAP: return kSharedMemory;
    default: return "";
  }
}

}  // namespace

Error lacking_error(std::string_view path, std::string_view what, std::string_view reason) {
  return {Code::kUnsupported, fmt::format("journal {}: {} do not work on its file system ({}); "
                                          "choose a local file with --state",
                                          path, what, reason)};
}

Error sqlite_error(sqlite3* connection, int code, std::string_view doing) {
  const char* name = sqlite3_db_filename(connection, "main");
  const std::string_view path = name == nullptr ? "" : name;
  const auto reason =
      fmt::format("{}: {} (SQLite error {})", doing, sqlite3_errmsg(connection), code);
  if (const auto part = lacking_part(code); !part.empty()) return lacking_error(path, part, reason);
  const Code kind = code_of(code);
  return {kind, fmt::format("journal {}: {}{}", path, reason, next_step(kind))};
}

Query::~Query() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::note(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

void Query::bind(int index, int64_t value) { note(sqlite3_bind_int64(statement_, index, value)); }

void Query::bind(int index, std::string_view text) {
  // A text without an address would be NULL.
  note(sqlite3_bind_text64(statement_, index, text.empty() ? "" : text.data(), text.size(),
                           SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Query::bind(int index, Blob blob) {
  note(sqlite3_bind_blob64(statement_, index, blob.bytes.empty() ? "" : blob.bytes.data(),
                           blob.bytes.size(), SQLITE_TRANSIENT));
}

Result<bool> Query::next() {
  sqlite3* connection = sqlite3_db_handle(statement_);
  if (bind_code_ != SQLITE_OK) return fail(sqlite_error(connection, bind_code_, doing_));
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(sqlite_error(connection, code, doing_));
}

Result<int64_t> Query::run() {
  while (TRY(next())) {
  }
  return sqlite3_changes64(sqlite3_db_handle(statement_));
}

std::string Query::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);  // before its size
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string()
                         : std::string(static_cast<const char*>(data), size_t(size));
}

Result<Connection> Connection::open(const std::string& path, int busy_timeout_ms) {
  sqlite3* opened = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  Connection connection(opened);
  if (code != SQLITE_OK)
    return fail(Code::kIo,
                fmt::format("journal {}: opening: {}{}", path,
                            opened == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(opened),
                            next_step(Code::kIo)));
  sqlite3_busy_timeout(opened, busy_timeout_ms);
  sqlite3_limit(opened, SQLITE_LIMIT_LENGTH, kMostValueBytes);
  // A file may come from anywhere: nothing in its schema is executed.
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  return connection;
}

Result<void> Connection::execute(const std::string& sql, std::string_view doing) const {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(sqlite_error(connection_.get(), code, doing));
  return {};
}

Result<int64_t> Connection::integer(const std::string& sql, std::string_view doing) const {
  const Statement statement = TRY(prepare(sql));
  auto query = statement.query(doing);
  return TRY(query.next()) ? query.integer(0) : 0;
}

Result<std::string> Connection::text(const std::string& sql, std::string_view doing) const {
  const Statement statement = TRY(prepare(sql));
  auto query = statement.query(doing);
  return TRY(query.next()) ? query.bytes(0) : std::string();
}

Result<Statement> Connection::prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), int(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return fail(sqlite_error(connection_.get(), code, "reading its tables"));
  return Statement(statement);
}

Result<void> Connection::begin(Durability durability, std::string_view doing) {
  if (durability != durability_) {
    const bool power = durability == Durability::kPower;
    TRY(execute(power ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", doing));
    durability_ = durability;
  }
  return execute("BEGIN IMMEDIATE", doing);
}

void Connection::roll_back() {
  // Fails when SQLite has already rolled back by itself.
  sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace pegmove::journal
