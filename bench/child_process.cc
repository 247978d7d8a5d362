#include "child_process.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>

namespace pegmove::bench {
namespace {

constexpr int kLookEveryMs = 10;

// Everything that comes from the pipe until it ends. On the way it looks at the memory of who
// writes there: what the system says of a process that has ended is at least the memory of its
// parent.
std::string read_all(int pipe, pid_t writer, int64_t& peak_bytes) {
  std::string output;
  char buffer[4096];
  for (ssize_t size = 1; size > 0;) {
    pollfd ready{.fd = pipe, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, kLookEveryMs) > 0 && (size = read(pipe, buffer, sizeof buffer)) > 0)
      output.append(buffer, size_t(size));
    if (auto usage = usage_of(writer); usage && usage->peak_bytes > 0)
      peak_bytes = usage->peak_bytes;
  }
  return output;
}

}  // namespace

Result<Finished> run_process(std::vector<std::string> words) {
  int out[2];
  if (pipe(out) != 0) return fail(Code::kIo, "pipe");
  auto start = std::chrono::steady_clock::now();
  auto child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    close(out[1]);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(out[1]);
  Finished finished;
  finished.output = read_all(out[0], child, finished.usage.peak_bytes);
  close(out[0]);
  int status = 0;
  rusage used{};
  wait4(child, &status, 0, &used);
  finished.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  auto seconds = [](const timeval& time) {
    return double(time.tv_sec) + double(time.tv_usec) / 1e6;
  };
  finished.usage.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(Code::kInternal, words[0] + " " + (words.size() > 1 ? words[1] : "") + " failed");
  return finished;
}

Result<Usage> usage_of(pid_t pid) {
  auto folder = "/proc/" + std::to_string(pid);
  std::ifstream stat(folder + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  auto behind_name = text.rfind(')');
  if (behind_name == std::string::npos)
    return fail(Code::kNotFound, "no process " + std::to_string(pid));
  // Fields 14 and 15 of proc(5); the first behind the name is field 3.
  std::istringstream fields(text.substr(behind_name + 1));
  std::string word;
  double ticks = 0;
  for (int field = 3; field <= 15 && fields >> word; ++field)
    if (field >= 14) ticks += std::stod(word);
  Usage usage{.cpu_seconds = ticks / double(sysconf(_SC_CLK_TCK))};
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) usage.peak_bytes = std::stoll(line.substr(6)) * 1024;
    if (line.starts_with("VmRSS:")) usage.resident_bytes = std::stoll(line.substr(6)) * 1024;
  }
  return usage;
}

}  // namespace pegmove::bench
