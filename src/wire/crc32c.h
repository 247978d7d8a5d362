// The checksum of RPC frames.
#pragma once

#include <cstdint>
#include <string_view>

namespace pegmove::wire {

// CRC-32C (Castagnoli): reflected, polynomial 0x82F63B78, initial value and final xor all ones. The
// empty input gives 0.
// Pegasus: crc32_calc in src/utils/crc.cpp, used for the header and body of RDSN frames.
uint32_t crc32c(std::string_view bytes);

}  // namespace pegmove::wire
