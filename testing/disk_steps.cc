#include "testing/disk_steps.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <utility>

namespace {

struct Recorded {
  std::mutex mutex;
  std::vector<std::string> steps;
};

// Files are also synced while static objects are made and destroyed.
Recorded& recorded() {
  static auto* const kept = new Recorded;
  return *kept;
}

void record(std::string step) {
  const std::lock_guard lock(recorded().mutex);
  recorded().steps.push_back(std::move(step));
}

}  // namespace

namespace pegmove::testing {

std::vector<std::string> take_disk_steps() {
  const std::lock_guard lock(recorded().mutex);
  return std::exchange(recorded().steps, {});
}

}  // namespace pegmove::testing

// Replace the C library's functions.
extern "C" int fsync(int fd) {
  struct stat found{};
  const bool is_folder = ::fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
  record(is_folder ? "sync the folder" : "sync " + std::to_string(found.st_size) + " bytes");
  return int(::syscall(SYS_fsync, fd));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  record("rename to " + std::filesystem::path(to).filename().string());
  return int(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
