#include "server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace pegmove::kill {
namespace {

constexpr int kReadyMs = 30'000;

// What is there now; a folder that changes meanwhile may be counted in part.
size_t entries_of(const std::string& folder) {
  std::error_code error;
  size_t count = 0;
  for (std::filesystem::recursive_directory_iterator entry(folder, error), end;
       !error && entry != end; entry.increment(error))
    ++count;
  return count;
}

}  // namespace

void ServerProcess::fail(const std::string& what) {
  std::ostringstream log;
  log << std::ifstream(log_path()).rdbuf();
  auto text = log.str();
  constexpr size_t kMost = 4000;
  if (text.size() > kMost) text = "..." + text.substr(text.size() - kMost);
  throw std::runtime_error(what + "; the end of its log:\n" + text);
}

void ServerProcess::run_child(int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int log = open(log_path().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  auto data = options_.folder + "/data";
  auto meta_port = std::to_string(options_.meta_port);
  auto replica_port = std::to_string(options_.replica_port);
  execl(options_.program.c_str(), "pegmove", "cluster", "start", "--name", "kill", "--data",
        data.c_str(), "--meta-port", meta_port.c_str(), "--replica-port", replica_port.c_str(),
        "--replica-servers", "2", nullptr);
  _exit(127);
}

void ServerProcess::start() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    throw std::runtime_error(std::string("pipe: ") + std::strerror(errno));
  if (output_ >= 0) close(output_);
  output_ = ends[0];
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (pid_ == 0) run_child(ends[1]);
  close(ends[1]);
}

bool ServerProcess::says_something(int within_ms) const {
  pollfd wait{.fd = output_, .events = POLLIN, .revents = 0};
  return poll(&wait, 1, within_ms) > 0;
}

// It says something, or closes its output, when it serves or has ended.
void ServerProcess::wait_for_entries(size_t count) {
  while (entries_of(options_.folder + "/data") < count && !says_something(0)) {
  }
}

void ServerProcess::wait_until_ready() {
  std::string said;
  while (said.find("ready") == said.npos) {
    if (!says_something(kReadyMs)) fail("the server is not ready after 30 s");
    char buffer[512];
    auto size = read(output_, buffer, sizeof buffer);
    if (size <= 0) fail("the server ended while it started");
    said.append(buffer, size_t(size));
  }
}

void ServerProcess::expect_running() {
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == 0) return;
  pid_ = 0;
  fail("the server ended by itself (status " + std::to_string(status) + ")");
}

void ServerProcess::kill() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  waitpid(std::exchange(pid_, 0), &status, 0);
}

void ServerProcess::stop() {
  ::kill(pid_, SIGTERM);
  int status = 0;
  waitpid(std::exchange(pid_, 0), &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    fail("the server did not stop in good order (status " + std::to_string(status) + ")");
}

}  // namespace pegmove::kill
