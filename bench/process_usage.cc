#include "process_usage.h"

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "base/child_process.h"

namespace pegmove::bench {

// Samples the memory of the process while it runs: the system's value for an ended one is at least
// the memory of its parent.
Result<Finished> run_process(std::vector<std::string> words) {
  const auto name = words[0] + " " + (words.size() > 1 ? words[1] : "");
  const auto start = std::chrono::steady_clock::now();
  auto child = TRY(
      base::ChildProcess::start(std::move(words), {.look_every = std::chrono::milliseconds(10)}));
  Finished finished;
  const auto look = [&] {
    if (auto usage = usage_of(child.id()); usage && usage->peak_bytes > 0)
      finished.usage.peak_bytes = usage->peak_bytes;
    return false;
  };
  finished.output = TRY(child.read_all({.should_stop = look}));
  const int code = TRY(child.wait());
  finished.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  finished.usage.cpu_seconds = std::chrono::duration<double>(child.cpu_time()).count();
  if (code != 0) return fail(Code::kInternal, name + " failed");
  return finished;
}

Result<Usage> usage_of(pid_t pid) {
  auto folder = "/proc/" + std::to_string(pid);
  std::ifstream stat(folder + "/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  auto behind_name = text.rfind(')');
  if (behind_name == std::string::npos)
    return fail(Code::kNotFound, "no process " + std::to_string(pid));
  // Fields 14 and 15 of proc(5); the first one after the name is field 3.
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
