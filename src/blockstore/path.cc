#include "blockstore/path.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"

namespace pegmove::blockstore {
namespace {

constexpr size_t kMostBytes = 4096;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

Result<std::string> check_path(std::string_view path) {
  const auto refused = [&](std::string_view why) {
    return fail(Code::kInvalidArgument,
                fmt::format("the path \"{}\" {}", base::printable(path), why));
  };
  if (path.size() > kMostBytes) return refused("is longer than 4096 bytes");
  std::string checked;
  for (size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto part = path.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty()) continue;
    if (part == "." || part == "..") return refused("must not have a part '.' or '..'");
    if (std::ranges::any_of(part, is_control)) return refused("has a control character");
    checked = join(checked, part);
  }
  return checked;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && std::ranges::none_of(name, is_control);
}

std::string parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return std::string(path.substr(0, slash == std::string_view::npos ? 0 : slash));
}

std::string name_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace pegmove::blockstore
