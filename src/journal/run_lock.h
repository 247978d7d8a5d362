// One process works on a run at a time. The lock is one of the operating system's, on a file beside
// the journal, "JOURNAL.RUN.lock", which holds the process id; it ends with the process, however
// that ends. The file is removed with the lock; one that a killed process left is taken over.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "journal/journal.h"

namespace pegmove::journal {

// An open file description's lock (F_OFD_SETLK), not flock(): it can be asked who holds it without
// taking it, so that `pegmove list` is never in the way of a `pegmove resume`.
class RunLock {
 public:
  // Errors: kBusy (naming the process that holds it), kNotFound (no such run), kInvalidArgument (no
  // id), kIo. Does not wait.
  static Result<RunLock> take(const Journal& journal, const std::string& run);
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  ~RunLock();

  // The process that works on the run now; 0 when it cannot be told which; nullopt: none. May be
  // out of date when it returns. Errors: kInvalidArgument (no id), kIo.
  static Result<std::optional<pid_t>> holder(const Journal& journal, const std::string& run);
  static Result<std::optional<pid_t>> holder(const std::string& journal_path,
                                             const std::string& run);

 private:
  RunLock(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  void release();

  std::string path_;
  int fd_ = -1;
};

}  // namespace pegmove::journal
