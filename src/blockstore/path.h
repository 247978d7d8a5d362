// Paths in a block store, and their rules.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::blockstore {

// Converts a path as users and Pegasus write it ("/user/pegasus//backup/") to the form of
// BlockStore ("user/pegasus/backup"). Errors: kInvalidArgument: a part "." or "..", a control
// character, or more than 4096 bytes.
Result<std::string> check_path(std::string_view path);

// Joins the parts that are not empty with slashes.
template <typename... Parts>
std::string join(const Parts&... parts) {
  std::string path;
  for (std::string_view part : {std::string_view(parts)...})
    if (!part.empty()) path.append(path.empty() ? "" : "/").append(part);
  return path;
}

// Whether the name is one part of a path, which a file in a folder may have.
bool is_name(std::string_view name);

std::string parent_of(std::string_view path);  // "" for a path of one part
std::string name_of(std::string_view path);    // the last part

}  // namespace pegmove::blockstore
