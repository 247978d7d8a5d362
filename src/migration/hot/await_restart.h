// Servers that must be restarted with another configuration before a table can be duplicated.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "migration/hot/preflight_checks.h"

namespace pegmove::migration::hot {

// Over several looks, since servers are restarted one after the other: one that was seen must be
// seen again. A server that is gone for good is forgotten with this object.
class AwaitedServers {
 public:
  // What is not as it must be; empty: every server is active with what it needs.
  std::vector<std::string> missing(const HotFacts& facts, const HotRequest& request);

 private:
  std::set<std::string> source_, target_;  // replica servers that were alive
};

}  // namespace pegmove::migration::hot
