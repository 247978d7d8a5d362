#include "journal/run_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/units.h"
#include "journal/sqlite.h"

namespace pegmove::journal {
namespace {

std::string lock_path(const std::string& journal, const std::string& run) {
  return journal + "." + run + ".lock";
}

std::unexpected<Error> lock_error(const std::string& path, int error) {
  return fail(Code::kIo,
              fmt::format("lock file {}: {}; check the disk space and the permissions, or "
                          "choose a local file with --state",
                          path, std::strerror(error)));
}

// Locks that the file system does not have fail in several ways.
std::unexpected<Error> locking_error(const std::string& journal, const std::string& path,
                                     int error) {
  if (error == ENOLCK || error == EINVAL || error == ENOSYS || error == ENOTSUP)
    return fail(lacking_error(journal, kFileLocks, path + ": " + std::strerror(error)));
  return lock_error(path, error);
}

struct flock whole_file() {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

pid_t pid_in(int fd) {
  char text[32] = {};
  const auto size = pread(fd, text, sizeof text, 0);
  return size <= 0 ? 0 : pid_t(base::parse_integer({text, size_t(size)}, 1, INT32_MAX).value_or(0));
}

// False when the file was removed, or replaced, after it was opened.
bool still_at(const std::string& path, int fd) {
  struct stat opened{};
  struct stat there{};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &there) == 0 &&
         opened.st_ino == there.st_ino && opened.st_dev == there.st_dev;
}

}  // namespace

Result<RunLock> RunLock::take(const Journal& journal, const std::string& run) {
  TRY(journal.get(run));
  auto path = lock_path(journal.path(), run);
  while (true) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return lock_error(path, errno);
    RunLock lock(path, -1);  // does not own the file before it has the lock
    auto whole = whole_file();
    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
      const int error = errno;
      const auto pid = pid_in(fd);
      close(fd);
      if (error != EAGAIN && error != EACCES) return locking_error(journal.path(), path, error);
      return fail(
          Code::kBusy,
          fmt::format("{} works on run {}; wait until it ends, or stop it with `pegmove pause {}`",
                      pid > 0 ? "process " + std::to_string(pid) : "another process", run, run));
    }
    if (!still_at(path, fd)) {  // its last holder has just removed it
      close(fd);
      continue;
    }
    lock.fd_ = fd;
    const auto pid = std::to_string(getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) != ssize_t(pid.size()))
      return lock_error(path, errno);
    return lock;
  }
}

Result<std::optional<pid_t>> RunLock::holder(const Journal& journal, const std::string& run) {
  return holder(journal.path(), run);
}

Result<std::optional<pid_t>> RunLock::holder(const std::string& journal_path,
                                             const std::string& run) {
  if (!is_run_id(run))
    return fail(Code::kInvalidArgument,
                "this is not the id of a run; `pegmove list` shows the ids");
  const auto path = lock_path(journal_path, run);
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return std::nullopt;
  if (fd < 0) return lock_error(path, errno);
  auto whole = whole_file();
  const bool asked = fcntl(fd, F_OFD_GETLK, &whole) == 0;
  const int error = errno;
  const auto pid = pid_in(fd);
  close(fd);
  if (!asked) return locking_error(journal_path, path, error);
  if (whole.l_type == F_UNLCK) return std::nullopt;
  return pid;
}

RunLock::RunLock(RunLock&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  if (this != &other) {
    release();
    path_ = std::move(other.path_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

RunLock::~RunLock() { release(); }

void RunLock::release() {
  if (fd_ < 0) return;
  // Before the lock is released: afterwards the file may belong to another process.
  unlink(path_.c_str());
  close(fd_);
  fd_ = -1;
}

}  // namespace pegmove::journal
