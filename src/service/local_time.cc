#include "service/local_time.h"

#include <ctime>

namespace pegmove::service {

std::string local_date_time(int64_t unix_seconds) {
  auto seconds = std::time_t(unix_seconds);
  std::tm parts = {};
  char text[64] = "";
  if (localtime_r(&seconds, &parts)) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

std::string date_time_or_dash(int64_t unix_ms) {
  return unix_ms > 0 ? local_date_time(unix_ms / 1000) : "-";
}

}  // namespace pegmove::service
