// One process works on a run at a time. It holds a lock of the operating system on a file beside
// the journal, "JOURNAL.RUN.lock", which contains the process id. The lock ends with the process,
// also when it is killed. The file is removed with the lock; a file that a killed process left is
// reused.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "journal/journal.h"

namespace pegmove::journal {

// An open file description's lock (F_OFD_SETLK), not flock(): its holder can be found without
// taking it, so that `pegmove list` never blocks a `pegmove resume`.
class RunLock {
 public:
  // Errors: kBusy (naming the process that holds it), kNotFound (no such run), kInvalidArgument
  // (not an id), kIo. Does not wait.
  static Result<RunLock> take(const Journal& journal, const std::string& run);
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  ~RunLock();

  // The process that works on the run now; 0 when its id is not known; nullopt: none. May be out of
  // date when it returns. Errors: kInvalidArgument (not an id), kIo.
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
