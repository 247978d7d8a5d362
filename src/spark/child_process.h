// A program that is run for a while and whose lines are read.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace pegmove::spark {

// An open file of the system; closed by the destructor.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return number_; }

 private:
  int number_;
};

// In a process group of its own, so that Ctrl-C at the terminal does not reach it. It is asked to
// end when the thread that started it ends, also by a kill. All calls block; for one at a time.
class ChildProcess {
 public:
  // Asked often while a call waits: true ends it with kInterrupted.
  using ShouldStop = std::function<bool()>;

  // `words[0]` is looked for in PATH when it has no slash. What it writes to stderr goes to the
  // file `log`, which is replaced. Errors: kNotFound: there is no such program; kIo.
  static Result<ChildProcess> start(std::vector<std::string> words, const std::string& log);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // end()

  pid_t id() const { return pid_; }
  // The next line that it has written to stdout; nothing when it has closed it. Errors:
  // kInterrupted; kTooLarge for lines of more than 64 MiB; kIo.
  Result<std::optional<std::string>> next_line(const ShouldStop& should_stop);
  // Its exit code, or the signal's number, negative. Errors: kInterrupted.
  Result<int> wait(const ShouldStop& should_stop);
  // Ends the whole group: SIGTERM, and SIGKILL to what is there after ten seconds.
  void end();

 private:
  ChildProcess(pid_t pid, Descriptor process, Descriptor output)
      : pid_(pid), process_(std::move(process)), output_(std::move(output)) {}
  bool ends_within(int milliseconds);
  int reap();

  pid_t pid_;
  Descriptor process_;  // pidfd
  Descriptor output_;
  std::string unread_;
  size_t looked_at_ = 0;  // of it, without finding a line's end
  std::optional<int> ended_;
};

}  // namespace pegmove::spark
