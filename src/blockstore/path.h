// Paths in a block store, and what may stand in them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::blockstore {

// As people and Pegasus write it ("/user/pegasus//backup/"), made the port's form
// ("user/pegasus/backup"). Errors: kInvalidArgument: a part "." or "..", a control character, or
// more than 4096 bytes.
Result<std::string> check_path(std::string_view path);

// The parts that are not empty, with slashes between them.
template <typename... Parts>
std::string join(const Parts&... parts) {
  std::string path;
  for (std::string_view part : {std::string_view(parts)...})
    if (!part.empty()) path.append(path.empty() ? "" : "/").append(part);
  return path;
}

// Whether it is one part of a path: what a file in a folder may be called.
bool is_name(std::string_view name);

std::string parent_of(std::string_view path);  // "" for a path of one part
std::string name_of(std::string_view path);    // the last part

}  // namespace pegmove::blockstore
