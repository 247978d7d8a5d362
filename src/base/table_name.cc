#include "base/table_name.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"

namespace pegmove::base {
namespace {

// Not std::isalnum(): it depends on the locale.
bool is_name_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view(".:_").contains(c);
}

}  // namespace

Result<void> check_table_name(std::string_view name) {
  const auto refused = [](std::string_view why) {
    return fail(Code::kInvalidArgument, fmt::format("Invalid name: {}", why));
  };
  if (name.empty() || !std::ranges::all_of(name, is_name_character))
    return refused("Only 0-9a-zA-Z.:_ are valid.");
  if (name == "." || name == "..")
    return refused(
        fmt::format("backups and bulk loads name folders by their tables, and '{}' is "
                    "no name of a folder",
                    name));
  if (name.size() > kMaxTableNameSize)
    return refused(
        fmt::format("{} bytes; the longest is {}, since backups name folders by their "
                    "tables",
                    name.size(), kMaxTableNameSize));
  return {};
}

Result<void> check_new_table(std::string_view name) {
  return in_context(check_table_name(name),
                    fmt::format("'{}' cannot be the name of a new table", printable(name)));
}

}  // namespace pegmove::base
