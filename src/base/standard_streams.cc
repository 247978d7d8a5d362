#include "base/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/local_file.h"

namespace pegmove::base {
namespace {

// Network file systems report some errors only when a descriptor is closed.
int closing_error() {
  const int copy = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return 0;  // there is no standard output, and what was printed has failed already
  return ::close(copy) == 0 || errno == EINTR ? 0 : errno;
}

}  // namespace

void open_missing_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // Gets the lowest free number, which is this one.
    [[maybe_unused]] const int opened =
        ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

Result<void> flush_standard_output() {
  const int failed = std::fflush(stdout) == 0 ? 0 : errno;
  const bool is_lost = std::ferror(stdout) != 0;
  std::clearerr(stdout);
  const int number = failed != 0 || is_lost ? failed : closing_error();
  if (number != 0) return fail(system_error("writing", "standard output", number));
  if (!is_lost) return {};
  return fail(Code::kIo,
              "writing standard output: a part of it could not be written; is its disk full?");
}

}  // namespace pegmove::base
