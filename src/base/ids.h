// Strong ids that more than one folder needs.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace pegmove::base {

// A partition of a table: Pegasus's "gpid", written "app_id.partition_index" (facts of the wire:
// src/common/gpid.h in Pegasus). Requests that are not addressed to a partition have app_id <= 0.
struct Gpid {
  int32_t app_id = 0;
  int32_t partition_index = 0;

  auto operator<=>(const Gpid&) const = default;
  std::string to_string() const {
    return std::to_string(app_id) + "." + std::to_string(partition_index);
  }
};

}  // namespace pegmove::base

namespace pegmove {
using base::Gpid;
}

template <>
struct std::hash<pegmove::base::Gpid> {
  size_t operator()(const pegmove::base::Gpid& id) const noexcept {
    return std::hash<uint64_t>()((uint64_t(uint32_t(id.app_id)) << 32) |
                                 uint32_t(id.partition_index));
  }
};
