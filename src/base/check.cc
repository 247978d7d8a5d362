#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace pegmove::base {

void fail_check(std::string_view text, const std::source_location& where) {
  std::fprintf(stderr, "pegmove: this must always hold: %.*s (%s:%u)\n", int(text.size()),
               text.data(), where.file_name(), unsigned(where.line()));
  std::abort();
}

}  // namespace pegmove::base
