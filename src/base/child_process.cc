#include "base/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {  // glibc 2.36 leaves it out
#include <sys/pidfd.h>
}

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/local_file.h"

namespace pegmove::base {
namespace {

using std::chrono::milliseconds;
using SystemTime = std::chrono::steady_clock;

constexpr milliseconds kEndWithin{10'000};
constexpr size_t kMostUnread = 64 << 20;

struct Pipe {
  Descriptor read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(system_error("making", "a pipe", errno));
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// What the child needs between fork and exec, where nothing may be allocated.
struct Birth {
  std::vector<char*> argv;
  std::vector<char*> environment;
  pid_t parent;
  int signal_at_callers_end;  // 0: none, and its own session
  int output;
  int log;  // below 0: stderr is inherited
  int report;
};

// Only does what is allowed between fork and exec. Writes to `report` why it failed.
[[noreturn]] void become(const Birth& birth) {
  if (birth.signal_at_callers_end == 0)
    setsid();
  else
    setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, birth.signal_at_callers_end);
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  dup2(birth.output, STDOUT_FILENO);
  if (birth.log >= 0) dup2(birth.log, STDERR_FILENO);
  if (birth.signal_at_callers_end == 0 || getppid() == birth.parent)
    execvpe(birth.argv[0], birth.argv.data(), birth.environment.data());
  const int number = errno;
  [[maybe_unused]] const auto written = write(birth.report, &number, sizeof number);
  _exit(127);
}

// NAME=VALUE of this process's environment and of `more`, which takes precedence.
std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::string> all;
  for (const auto& [name, value] : more) all.push_back(name + "=" + value);
  for (char** each = environ; *each; ++each) {
    const std::string_view entry = *each;
    const auto is_same = [&](const auto& pair) { return entry.starts_with(pair.first + "="); };
    if (std::ranges::none_of(more, is_same)) all.emplace_back(entry);
  }
  return all;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

bool is_ready(int descriptor, milliseconds length) {
  pollfd ready{.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&ready, 1, int(length.count())) > 0;
}

std::chrono::microseconds length_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

// The deadline of a call, and whether it must end now.
class ChildProcess::Patience {
 public:
  explicit Patience(const ChildWait& wait) : wait_(wait), began_(SystemTime::now()) {}

  Result<void> check() const {
    if (wait_.should_stop && wait_.should_stop()) return fail(Code::kInterrupted, "it was stopped");
    if (wait_.limit && SystemTime::now() - began_ >= *wait_.limit)
      return fail(Code::kTimeout,
                  fmt::format("a program has neither ended nor written more within {} ms",
                              wait_.limit->count()));
    return {};
  }
  // Not longer than the limit.
  milliseconds at_most(milliseconds length) const {
    if (!wait_.limit) return length;
    const auto passed = std::chrono::floor<milliseconds>(SystemTime::now() - began_);
    return std::clamp(*wait_.limit - passed, milliseconds(0), length);
  }

 private:
  const ChildWait& wait_;
  SystemTime::time_point began_;
};

Result<ChildProcess> ChildProcess::start(std::vector<std::string> words,
                                         const ChildOptions& options) {
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |  // others may write there, too
                    (options.appends_to_log ? 0 : O_TRUNC);
  const Descriptor log(options.log.empty() ? -1 : open(options.log.c_str(), flags, 0600));
  if (!options.log.empty() && !log.is_open())
    return fail(system_error("creating", options.log, errno));
  auto output = TRY(make_pipe());
  auto report = TRY(make_pipe());
  auto environment = environment_with(options.environment);
  const Birth birth{
      .argv = pointers_to(words),
      .environment = pointers_to(environment),
      .parent = getpid(),
      .signal_at_callers_end = options.outlives_caller ? 0 : options.signal_at_callers_end,
      .output = output.write.get(),
      .log = log.get(),
      .report = report.write.get()};
  const auto pid = fork();
  if (pid == 0) become(birth);
  if (pid < 0) return fail(system_error("starting", words[0], errno));
  output.write.close();
  report.write.close();
  int why = 0;
  if (read(report.read.get(), &why, sizeof why) > 0) {
    waitpid(pid, nullptr, 0);
    return fail(system_error("starting", words[0], why));
  }
  ChildProcess child(pid, Descriptor(pidfd_open(pid, 0)), std::move(output.read), options);
  if (!child.process_.is_open()) return fail(system_error("watching", words[0], errno));
  return child;
}

ChildProcess::ChildProcess(pid_t pid, Descriptor process, Descriptor output,
                           const ChildOptions& options)
    : pid_(pid),
      process_(std::move(process)),
      output_(std::move(output)),
      look_every_(options.look_every),
      outlives_caller_(options.outlives_caller) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      process_(std::move(other.process_)),
      output_(std::move(other.output_)),
      look_every_(other.look_every_),
      outlives_caller_(other.outlives_caller_),
      unread_(std::move(other.unread_)),
      searched_(other.searched_),
      ended_(other.ended_),
      cpu_time_(other.cpu_time_) {}

ChildProcess::~ChildProcess() {
  if (!outlives_caller_) end();
}

void ChildProcess::send(int signal) {
  if (pid_ > 0 && !ended_) kill(-pid_, signal);
}

void ChildProcess::end() {
  if (pid_ < 0) return;
  kill(-pid_, SIGTERM);
  ends_within(kEndWithin);
  kill_now();
}

// Also when the process has ended: others of its group may still run.
void ChildProcess::kill_now() {
  if (pid_ < 0) return;
  kill(-pid_, SIGKILL);
  reap();
  pid_ = -1;
}

bool ChildProcess::ends_within(milliseconds length) {
  return ended_ || is_ready(process_.get(), length);
}

std::optional<int> ChildProcess::ended() {
  if (!ends_within(milliseconds(0))) return std::nullopt;
  return reap();
}

int ChildProcess::reap() {
  if (!ended_) {
    int status = 0;
    rusage used{};
    while (wait4(pid_, &status, 0, &used) < 0 && errno == EINTR) {
    }
    cpu_time_ = length_of(used.ru_utime) + length_of(used.ru_stime);
    ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  return *ended_;
}

Result<bool> ChildProcess::read_more(const Patience& patience) {
  if (unread_.size() > kMostUnread)
    return fail(Code::kTooLarge, "a program wrote too much at once");
  while (true) {
    TRY(patience.check());
    if (!is_ready(output_.get(), patience.at_most(look_every_))) continue;
    char buffer[16 << 10];
    const auto size = read(output_.get(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(system_error("reading from", "a program", errno));
    unread_.append(buffer, size_t(size));
    return size > 0;
  }
}

Result<std::optional<std::string>> ChildProcess::next_line(const ChildWait& wait) {
  for (const Patience patience(wait);;) {
    if (const auto end = unread_.find('\n', searched_); end != std::string::npos) {
      auto line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      searched_ = 0;
      return line;
    }
    searched_ = unread_.size();
    if (!TRY(read_more(patience))) return std::nullopt;
  }
}

Result<std::string> ChildProcess::read_all(const ChildWait& wait) {
  const Patience patience(wait);
  while (TRY(read_more(patience))) {
  }
  searched_ = 0;
  return std::exchange(unread_, "");
}

Result<int> ChildProcess::wait(const ChildWait& wait) {
  check(pid_ > 0 || ended_, "a process that is waited for belongs to this object");
  for (const Patience patience(wait); !ends_within(patience.at_most(look_every_));)
    TRY(patience.check());
  return reap();
}

}  // namespace pegmove::base
