#include "apps/progress_line.h"

#include <unistd.h>

#include <cstdio>

namespace pegmove::apps {

ProgressLine::ProgressLine(bool quiet) : quiet_(quiet), in_place_(isatty(STDERR_FILENO) != 0) {}

ProgressLine::~ProgressLine() { end(); }

void ProgressLine::end() {
  if (shown_ && in_place_) std::fputc('\n', stderr);
  shown_ = false;
}

void ProgressLine::show(const std::string& text) {
  if (quiet_) return;
  shown_ = true;
  // \r and "erase to the end of the line": the next text replaces this one.
  std::fprintf(stderr, in_place_ ? "\r%s\x1b[K" : "%s\n", text.c_str());
  std::fflush(stderr);
}

}  // namespace pegmove::apps
