// A program that is run for a while and whose lines are read.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace pegmove::spark {

// In a process group of its own, so that Ctrl-C at the terminal does not reach it. It is asked to
// end when the thread that started it ends, also by a kill. For one thread.
class ChildProcess {
 public:
  // `words[0]` is looked for in PATH when it has no slash. What it writes to stderr goes to the
  // file `log`, which is replaced. Errors: kNotFound: there is no such program; kIo.
  static Result<ChildProcess> start(std::vector<std::string> words, const std::string& log);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  // Ends the whole group: SIGTERM, and SIGKILL to what is there after a while.
  ~ChildProcess();

  pid_t id() const { return pid_; }
  // Blocks until it has written a line to stdout, or closed it: nothing. Errors: kInterrupted, when
  // `should_stop`, which is asked often, says so; kTooLarge for lines of more than 64 MiB; kIo.
  Result<std::optional<std::string>> next_line(const std::function<bool()>& should_stop);
  // Blocks until it has ended. Its exit code, or the signal's number, negative.
  int wait();

 private:
  ChildProcess(pid_t pid, int process, int output)
      : pid_(pid), process_(process), output_(output) {}
  bool ends_within(int milliseconds);

  pid_t pid_;
  int process_;  // pidfd
  int output_;
  std::string unread_;
  size_t looked_at_ = 0;  // of it, without finding a line's end
  std::optional<int> ended_;
};

}  // namespace pegmove::spark
