#include "apps/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

namespace pegmove::apps {
namespace {

constexpr async::milliseconds kBetweenLooks{50};

bool has_input() {
  pollfd ready{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, 0) > 0;
}

}  // namespace

size_t columns_of_stdout() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool is_on_terminal() { return isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0; }

// Ctrl-C is handled by this thread, so it must not wait in read(): a terminal is readable when it
// has a whole line.
Task<bool> ask_on_terminal(Clock& clock, const async::StopSignal& stop, std::string question) {
  std::fprintf(stderr, "pegmove: %s [y/N] ", question.c_str());
  std::fflush(stderr);
  while (!has_input()) {
    if (stop.requested()) {
      std::fputc('\n', stderr);
      co_return fail(Code::kInterrupted, "stopped at the question");
    }
    co_await clock.sleep_for(kBetweenLooks);  // no result
  }
  char line[16];
  const auto got = ::read(STDIN_FILENO, line, sizeof line);
  const std::string_view answer(line, got > 0 ? size_t(got) : 0);
  co_return answer == "y\n" || answer == "Y\n" || answer == "yes\n";
}

}  // namespace pegmove::apps
