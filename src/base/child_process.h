// A child process, whose output is read and whose end is waited for.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace pegmove::base {

struct ChildOptions {
  std::string log = {};         // stderr goes to this file; "": it is inherited
  bool appends_to_log = false;  // else the file is replaced
  std::vector<std::pair<std::string, std::string>> environment = {};  // added to this process's own
  // Sent to it when the thread that started it ends, also by a kill.
  int signal_at_callers_end = SIGTERM;
  // It gets its own session, no signal when the caller ends, and the destructor leaves it running:
  // a background process.
  bool outlives_caller = false;
  std::chrono::milliseconds look_every{100};  // how often `should_stop` is called
};

// How long a call may wait. By the system's own time.
struct ChildWait {
  std::function<bool()> should_stop = {};  // called often: true ends the call with kInterrupted
  std::optional<std::chrono::milliseconds> limit = {};  // after it the call ends with kTimeout
};

// In its own process group, so that Ctrl-C at the terminal does not reach it; stdin is empty;
// stdout is a pipe. All calls block; one at a time. A call that has failed can be repeated.
class ChildProcess {
 public:
  // `words[0]` is looked for in PATH when it has no slash. Errors: kNotFound when there is no such
  // program; kIo.
  static Result<ChildProcess> start(std::vector<std::string> words, const ChildOptions& options);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // end(), unless it outlives the caller

  pid_t id() const { return pid_; }
  // The next line that it has written to stdout, without its newline; nothing when stdout is
  // closed: text after the last newline is not a line. Errors: kInterrupted, kTimeout; kTooLarge
  // for lines of more than 64 MiB; kIo.
  Result<std::optional<std::string>> next_line(const ChildWait& wait = {});
  // The rest of stdout, until it is closed. Errors: as above.
  Result<std::string> read_all(const ChildWait& wait = {});
  // Its exit code, or the signal's number, negative. Errors: kInterrupted, kTimeout.
  Result<int> wait(const ChildWait& wait = {});
  // The same if it has ended by now.
  std::optional<int> ended();
  // User and system time, including children that it has waited for; valid after its end was waited
  // for.
  std::chrono::microseconds cpu_time() const { return cpu_time_; }

  void send(int signal);  // to the whole group, if it has not ended
  // Ends the whole group: SIGTERM, and SIGKILL to what still runs after ten seconds.
  void end();
  void kill_now();  // the whole group, by SIGKILL

 private:
  ChildProcess(pid_t pid, Descriptor process, Descriptor output, const ChildOptions& options);
  class Patience;
  bool ends_within(std::chrono::milliseconds length);
  int reap();
  Result<bool> read_more(const Patience& patience);  // false: stdout is closed

  pid_t pid_;
  Descriptor process_;  // pidfd
  Descriptor output_;
  std::chrono::milliseconds look_every_;
  bool outlives_caller_;
  std::string unread_;
  size_t searched_ = 0;  // bytes of it, without finding a newline
  std::optional<int> ended_;
  std::chrono::microseconds cpu_time_{0};
};

}  // namespace pegmove::base
