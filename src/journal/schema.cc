#include "journal/schema.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/local_file.h"
#include "journal/run_lock.h"

namespace pegmove::journal {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kApplicationId = 0x70676d76;  // "pgmv"
constexpr int64_t kMostWalBytes = 4 << 20;      // of the log that is kept between checkpoints

// A text as it is quoted in SQL.
std::string sql_quoted(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out;
}

Result<void> sync_file(const std::string& path) { return TRY(base::LocalFile::open(path)).sync(); }

// Runs the steps that are missing, if any.
Result<void> migrate(Connection& connection, std::span<const std::string_view> steps) {
  return connection.transact(Durability::kPower, "converting its tables", [&]() -> Result<void> {
    // Read again: another process may have been faster.
    auto version = TRY(connection.integer("PRAGMA user_version", "reading its version"));
    for (; version < int64_t(steps.size()); ++version)
      TRY(connection.execute(std::string(steps[size_t(version)]),
                             fmt::format("creating version {} of its tables", version + 1)));
    return connection.execute("PRAGMA user_version = " + std::to_string(version),
                              "writing its version");
  });
}

Result<void> use_write_ahead_log(Connection& connection, const std::string& path) {
  const auto mode =
      TRY(connection.text("PRAGMA journal_mode = WAL", "enabling its write-ahead log"));
  if (mode != "wal")
    return fail(lacking_error(path, kSharedMemory, "its journal mode stays " + mode));
  return connection.execute("PRAGMA journal_size_limit = " + std::to_string(kMostWalBytes),
                            "limiting its write-ahead log");
}

// Creates a complete journal in an empty file.
Result<void> fill(const std::string& path, std::span<const std::string_view> steps) {
  auto connection = TRY(Connection::open(path, 0));
  TRY(connection.execute("PRAGMA application_id = " + std::to_string(kApplicationId),
                         "creating it"));
  TRY(migrate(connection, steps));
  TRY(use_write_ahead_log(connection, path));
  // The first read through the log is the first use of shared memory.
  TRY(connection.integer("PRAGMA user_version", "reading it"));
  return {};
}

void remove_staging(const std::string& staging) {
  for (const char* part : {"", "-journal", "-wal", "-shm"}) unlink((staging + part).c_str());
}

// Creates a complete journal under a temporary name beside the path, and returns the name.
Result<std::string> build(const std::string& path, std::span<const std::string_view> steps) {
  std::string staging = path + ".new.XXXXXX";
  const int fd = mkostemp(staging.data(), O_CLOEXEC);  // mode 0600
  if (fd < 0)
    return fail(Code::kIo,
                fmt::format("journal {}: creating it: {}; give another place with --state", path,
                            std::strerror(errno)));
  close(fd);
  auto filled = fill(staging, steps);
  if (filled) return staging;
  remove_staging(staging);
  // Nobody else can have locked the file: it has a name that nobody else knows.
  if (filled.error().code() == Code::kBusy)
    return fail(lacking_error(path, kFileLocks, "a new file cannot be locked"));
  auto message = filled.error().message();
  if (const auto name = message.find(staging); name != std::string::npos)
    message.replace(name, staging.size(), path);
  return fail(filled.error().code(), std::move(message));
}

Result<void> give_name(const std::string& staging, const std::string& path) {
  if (link(staging.c_str(), path.c_str()) == 0 || errno == EEXIST) return {};
  const int number = errno;
  if (number == EPERM || number == ENOSYS || number == ENOTSUP)
    return fail(lacking_error(path, kHardLinks, std::strerror(number)));
  return fail(Code::kIo, fmt::format("journal {}: creating it: {}; give another place with --state",
                                     path, std::strerror(number)));
}

// Creates a new journal at the path; one that another process has created meanwhile is kept. It is
// built beside the path, since two processes that build in place would disturb each other, and
// since opening and closing the file directly would end SQLite's locks on it in this process.
Result<void> create(const std::string& path, std::span<const std::string_view> steps) {
  // This order distinguishes an old log from that of a process that has just created the journal.
  const auto log = path + "-wal";
  std::error_code ignored;
  if (fs::exists(log, ignored) && !fs::exists(path, ignored))
    return fail(
        Code::kCorrupt,
        fmt::format("journal {}: the file is missing, but its log {} exists and would be used with "
                    "a new file; restore the file, or move the log away (its runs are then lost)",
                    path, log));
  const auto staging = TRY(build(path, steps));
  auto named = give_name(staging, path);
  remove_staging(staging);
  TRY(std::move(named));
  return base::sync_folder(fs::path(path).parent_path());
}

// Keeps the file of the older version, for a return to that version: "JOURNAL.v1".
Result<void> keep_copy(const Connection& connection, const std::string& path, int64_t version) {
  const auto copy = fmt::format("{}.v{}", path, version);
  std::error_code ignored;
  // Another process was faster, or was killed after it: perhaps before its name was durable.
  if (fs::exists(copy, ignored)) return base::sync_folder(fs::path(path).parent_path());
  std::string staging = copy + ".XXXXXX";
  const int fd = mkostemp(staging.data(), O_CLOEXEC);  // mode 0600; SQLite takes an empty file
  if (fd < 0)
    return fail(Code::kIo, fmt::format("journal {}: keeping a copy of the older version: {}", path,
                                       std::strerror(errno)));
  close(fd);
  auto copied = connection.execute("VACUUM INTO '" + sql_quoted(staging) + "'",
                                   "keeping a copy of the older version");
  if (copied) copied = sync_file(staging);
  if (copied)
    copied = in_context(base::rename_file(staging, copy),
                        fmt::format("journal {}: keeping a copy of the older version", path));
  if (!copied) unlink(staging.c_str());
  return copied;
}

// A process of the older version would fail on the new tables.
Result<void> check_unused(const Connection& connection, const std::string& path) {
  const auto statement =
      TRY(connection.prepare("SELECT id FROM runs WHERE state IN ('planned', 'running')"));
  auto query = statement.query("checking for processes that use it");
  while (TRY(query.next())) {
    const auto run = query.bytes(0);
    if (const auto holder = RunLock::holder(path, run); holder && *holder)
      return fail(Code::kBusy,
                  fmt::format("journal {}: process {} of an older pegmove works on run {}; wait "
                              "until it ends, or pause the run with the older pegmove",
                              path, **holder, run));
  }
  return {};
}

// Checks what the file is before anything is written to it.
Result<void> recognise(const Connection& connection, const std::string& path, int64_t newest) {
  const auto application = TRY(connection.integer("PRAGMA application_id", "reading its type"));
  if (application != kApplicationId)
    return fail(Code::kInvalidArgument,
                fmt::format("journal {}: this file is not a journal of pegmove and was not "
                            "changed; give another file with --state",
                            path));
  const auto version = TRY(connection.integer("PRAGMA user_version", "reading its version"));
  if (version > newest)
    return fail(Code::kUnsupported,
                fmt::format("journal {}: created by a newer pegmove (version {}, this one knows up "
                            "to {}); use that pegmove, or give another file with --state",
                            path, version, newest));
  const auto damage = TRY(connection.text("PRAGMA quick_check(1)", "checking it"));
  if (damage != "ok" || version < 1)
    return fail(Code::kCorrupt, fmt::format("journal {}: the file is damaged ({}); restore a copy "
                                            "of the file, or move it away (its runs are then lost)",
                                            path, damage));
  return {};
}

}  // namespace

namespace {

Result<Connection> open_or_create(const std::string& path, int busy_timeout_ms,
                                  std::span<const std::string_view> steps) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found || status.type() == fs::file_type::none) {
    TRY(create(path, steps));
  } else if (status.type() != fs::file_type::regular) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("journal {}: not a regular file; give another file with --state", path));
  }
  auto connection = TRY(Connection::open(path, busy_timeout_ms));
  TRY(recognise(connection, path, int64_t(steps.size())));
  TRY(use_write_ahead_log(connection, path));
  TRY(connection.execute("PRAGMA foreign_keys = ON", "opening it"));
  const auto version = TRY(connection.integer("PRAGMA user_version", "reading its version"));
  if (version < int64_t(steps.size())) {
    TRY(check_unused(connection, path));
    TRY(keep_copy(connection, path, version));
    TRY(migrate(connection, steps));
  }
  return connection;
}

}  // namespace

Result<Connection> open_journal(const std::string& path, int busy_timeout_ms,
                                std::span<const std::string_view> steps) {
  auto opened = open_or_create(path, busy_timeout_ms, steps);
  if (opened || (opened.error().code() != Code::kBusy && opened.error().code() != Code::kIo))
    return opened;
  // Is it the file, or its file system? The same is tried with a new file.
  const auto tried = build(path, steps);
  if (tried) remove_staging(*tried);
  if (!tried && tried.error().code() == Code::kUnsupported) return fail(tried.error());
  return opened;
}

}  // namespace pegmove::journal
