#include "shell/time_text.h"

#include <fmt/format.h>

#include <ctime>

namespace pegmove::shell {

std::string date_time_text(int64_t unix_ms) {
  const auto seconds = std::time_t(unix_ms / 1000);
  std::tm local{};
  char text[64];
  if (!localtime_r(&seconds, &local)) return "-";
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local)};
}

std::string date_time_ms_text(int64_t unix_ms) {
  return fmt::format("{}.{:03}", date_time_text(unix_ms), unix_ms % 1000);
}

}  // namespace pegmove::shell
