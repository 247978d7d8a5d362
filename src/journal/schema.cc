#include "journal/schema.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "journal/location.h"
#include "journal/run_lock.h"

namespace pegmove::journal {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kApplicationId = 0x70676d76;  // "pgmv"
constexpr int64_t kMostWalBytes = 4 << 20;      // of the log that stays between checkpoints

// Of a text in SQL.
std::string sql_quoted(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out;
}

Result<void> sync_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (synced) return {};
  return fail(Code::kIo, path + ": " + std::strerror(error));
}

// Runs the steps that are missing, if any.
Result<void> migrate(Connection& connection, std::span<const std::string_view> steps) {
  return connection.transact(
      Durability::kPower, "bringing its tables up to date", [&]() -> Result<void> {
        // Again: another process may have been faster.
        auto version = TRY(connection.integer("PRAGMA user_version", "reading its version"));
        for (; version < int64_t(steps.size()); ++version)
          TRY(connection.execute(
              std::string(steps[size_t(version)]),
              "making version " + std::to_string(version + 1) + " of its tables"));
        return connection.execute("PRAGMA user_version = " + std::to_string(version),
                                  "writing its version");
      });
}

Result<void> use_write_ahead_log(Connection& connection, const std::string& path) {
  const auto mode = TRY(connection.text("PRAGMA journal_mode = WAL", "turning its log on"));
  if (mode != "wal")
    return fail(Code::kIo, "journal " + path +
                               ": its file system cannot share memory between processes; name a "
                               "file on a local disk with --state");
  return connection.execute("PRAGMA journal_size_limit = " + std::to_string(kMostWalBytes),
                            "limiting its log");
}

// A whole journal under a name of its own.
Result<void> build(const std::string& path, std::span<const std::string_view> steps) {
  auto connection = TRY(Connection::open(path, 0));
  TRY(connection.execute("PRAGMA application_id = " + std::to_string(kApplicationId), "making it"));
  TRY(migrate(connection, steps));
  return use_write_ahead_log(connection, path);
}

// Puts a new journal at the path; one that another process put there meanwhile stays. It is built
// beside, since two processes that build in place would be in each other's way, and since opening
// the file by hand and closing it again would end SQLite's locks on it in this process.
Result<void> create(const std::string& path, std::span<const std::string_view> steps) {
  // The order tells an old log from that of a process that has just made the journal.
  const auto log = path + "-wal";
  std::error_code ignored;
  if (fs::exists(log, ignored) && !fs::exists(path, ignored))
    return fail(Code::kCorrupt, "journal " + path + ": the file is gone, but its log " + log +
                                    " is there and would be taken for that of a new one; put the "
                                    "file back, or move the log away: the runs in it are "
                                    "lost then");
  std::string staging = path + ".new.XXXXXX";
  const int fd = mkostemp(staging.data(), O_CLOEXEC);  // mode 0600
  if (fd < 0)
    return fail(Code::kIo, "journal " + path + ": making it: " + std::strerror(errno) +
                               "; name another place with --state");
  close(fd);
  auto made = build(staging, steps);
  if (made && link(staging.c_str(), path.c_str()) != 0 && errno != EEXIST)
    made = fail(Code::kIo, "journal " + path + ": making it: " + std::strerror(errno));
  unlink(staging.c_str());
  TRY(std::move(made));
  return sync_folder(fs::path(path).parent_path());
}

// The file as the older version left it, for whoever must go back to that: "JOURNAL.v1".
Result<void> keep_copy(const Connection& connection, const std::string& path, int64_t version) {
  const auto copy = path + ".v" + std::to_string(version);
  std::error_code ignored;
  if (fs::exists(copy, ignored)) return {};  // another process was faster, or killed since
  std::string staging = copy + ".XXXXXX";
  const int fd = mkostemp(staging.data(), O_CLOEXEC);  // mode 0600; SQLite takes an empty file
  if (fd < 0)
    return fail(Code::kIo, "journal " + path +
                               ": keeping a copy of the older version: " + std::strerror(errno));
  close(fd);
  auto copied = connection.execute("VACUUM INTO '" + sql_quoted(staging) + "'",
                                   "keeping a copy of the older version");
  if (copied) copied = sync_file(staging);
  if (copied && rename(staging.c_str(), copy.c_str()) != 0)
    copied = fail(Code::kIo,
                  "journal " + path + ": keeping the copy " + copy + ": " + std::strerror(errno));
  if (!copied) unlink(staging.c_str());
  TRY(std::move(copied));
  return sync_folder(fs::path(path).parent_path());
}

// A process of the older version would fail on the new tables.
Result<void> check_unused(const Connection& connection, const std::string& path) {
  const auto statement =
      TRY(connection.prepare("SELECT id FROM runs WHERE state IN ('planned', 'running')"));
  auto query = statement.query("looking for processes that use it");
  while (TRY(query.next())) {
    const auto run = query.bytes(0);
    if (const auto holder = RunLock::holder(path, run); holder && *holder)
      return fail(Code::kBusy, "journal " + path + ": process " + std::to_string(**holder) +
                                   " of an older pegmove works on run " + run +
                                   "; wait until it has ended, or pause it with that pegmove");
  }
  return {};
}

// What a file is, before anything is written to it.
Result<void> recognise(const Connection& connection, const std::string& path, int64_t newest) {
  const auto application = TRY(connection.integer("PRAGMA application_id", "reading what it is"));
  if (application != kApplicationId)
    return fail(Code::kInvalidArgument, "journal " + path +
                                            ": this file is no journal of pegmove; it stays as it "
                                            "is, name another with --state");
  const auto version = TRY(connection.integer("PRAGMA user_version", "reading its version"));
  if (version > newest)
    return fail(Code::kUnsupported, "journal " + path + ": made by a newer pegmove (version " +
                                        std::to_string(version) + ", this one knows up to " +
                                        std::to_string(newest) +
                                        "); use that pegmove, or another file with --state");
  const auto damage = TRY(connection.text("PRAGMA quick_check(1)", "checking it"));
  if (damage != "ok" || version < 1)
    return fail(Code::kCorrupt, "journal " + path + ": the file is damaged (" + damage +
                                    "); put back a copy of it, or move it away: the runs in it "
                                    "are lost then");
  return {};
}

}  // namespace

Result<Connection> open_journal(const std::string& path, int busy_timeout_ms,
                                std::span<const std::string_view> steps) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) {
    TRY(create(path, steps));
  } else if (!fs::is_regular_file(status)) {
    return fail(Code::kInvalidArgument, "journal " + path +
                                            ": no plain file; name another with "
                                            "--state");
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

}  // namespace pegmove::journal
