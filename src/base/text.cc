#include "base/text.h"

#include <algorithm>
#include <ctime>

namespace pegmove::base {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string_view without_byte_order_mark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (const auto part = trim(text.substr(0, end)); !part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::vector<std::string_view> split_fields(std::string_view text, char separator, bool keep_empty) {
  std::vector<std::string_view> fields;
  for (bool more = true; more;) {
    const size_t end = text.find(separator);
    std::string_view field = text.substr(0, end);
    field.remove_prefix(std::min(field.find_first_not_of(" \t"), field.size()));
    field = field.substr(0, field.find_last_not_of(" \t\r\n") + 1);
    if (keep_empty || !field.empty()) fields.push_back(field);
    more = end != std::string_view::npos;
    if (more) text.remove_prefix(end + 1);
  }
  return fields;
}

std::string utc_date_time(int64_t unix_ms) {
  if (unix_ms <= 0) return "-";
  const auto seconds = std::time_t(unix_ms / 1000);
  std::tm parts{};
  char text[64] = "-";
  if (gmtime_r(&seconds, &parts)) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

}  // namespace pegmove::base
