#include "spark/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {  // glibc 2.36 leaves it out
#include <sys/pidfd.h>
}

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/local_file.h"

namespace pegmove::spark {
namespace {

constexpr int kLookEveryMs = 100;
constexpr int kEndWithinMs = 10'000;
constexpr size_t kMostLine = 64 << 20;

struct Pipe {
  Descriptor read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(base::system_error("making", "a pipe", errno));
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// In the child: only what is allowed between fork and exec. Tells why it cannot through `report`.
[[noreturn]] void become(char* const* argv, pid_t parent, int output, int log, int report) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGPIPE, SIG_DFL);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  if (getppid() == parent) execvp(argv[0], argv);
  const int number = errno;
  [[maybe_unused]] const auto told = write(report, &number, sizeof number);
  _exit(127);
}

}  // namespace

Descriptor::Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) close(number_);
}

Result<ChildProcess> ChildProcess::start(std::vector<std::string> words, const std::string& log) {
  const Descriptor log_file(open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (log_file.get() < 0) return fail(base::system_error("creating", log, errno));
  auto output = TRY(make_pipe());
  auto report = TRY(make_pipe());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto parent = getpid();
  const auto pid = fork();
  if (pid == 0) become(argv.data(), parent, output.write.get(), log_file.get(), report.write.get());
  if (pid < 0) return fail(base::system_error("starting", words[0], errno));
  output.write = Descriptor();
  report.write = Descriptor();
  int why = 0;
  if (read(report.read.get(), &why, sizeof why) > 0) {
    waitpid(pid, nullptr, 0);
    return fail(base::system_error("starting", words[0], why));
  }
  ChildProcess child(pid, Descriptor(pidfd_open(pid, 0)), std::move(output.read));
  if (child.process_.get() < 0) return fail(base::system_error("watching", words[0], errno));
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      process_(std::move(other.process_)),
      output_(std::move(other.output_)),
      unread_(std::move(other.unread_)),
      looked_at_(other.looked_at_),
      ended_(other.ended_) {}

ChildProcess::~ChildProcess() { end(); }

void ChildProcess::end() {
  if (pid_ < 0) return;
  kill(-pid_, SIGTERM);
  ends_within(kEndWithinMs);
  kill(-pid_, SIGKILL);
  reap();
  pid_ = -1;
}

bool ChildProcess::ends_within(int milliseconds) {
  pollfd ended{.fd = process_.get(), .events = POLLIN, .revents = 0};
  return ended_ || poll(&ended, 1, milliseconds) > 0;
}

int ChildProcess::reap() {
  if (!ended_) {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  return *ended_;
}

Result<std::optional<std::string>> ChildProcess::next_line(const ShouldStop& should_stop) {
  while (true) {
    if (const auto end = unread_.find('\n', looked_at_); end != std::string::npos) {
      auto line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      looked_at_ = 0;
      return line;
    }
    looked_at_ = unread_.size();
    if (unread_.size() > kMostLine) return fail(Code::kTooLarge, "a line has no end");
    if (should_stop()) return fail(Code::kInterrupted, "it was stopped");
    pollfd ready{.fd = output_.get(), .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, kLookEveryMs) <= 0) continue;
    char buffer[16 << 10];
    const auto size = read(output_.get(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(base::system_error("reading from", "a program", errno));
    if (size == 0) return std::nullopt;
    unread_.append(buffer, size_t(size));
  }
}

Result<int> ChildProcess::wait(const ShouldStop& should_stop) {
  while (!ends_within(kLookEveryMs))
    if (should_stop()) return fail(Code::kInterrupted, "it was stopped");
  return reap();
}

}  // namespace pegmove::spark
