// Environment variables that options are taken from.
#pragma once

#include <cstdlib>
#include <string>

namespace pegmove::blockstore {

// The value of the variable; "" when it is not set.
inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace pegmove::blockstore
