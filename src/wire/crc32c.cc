#include "wire/crc32c.h"

#include <array>
#include <cstddef>

#include "base/bytes.h"

namespace pegmove::wire {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;
constexpr size_t kStride = 8;

using Tables = std::array<std::array<uint32_t, 256>, kStride>;

// tables[n][b] is the remainder of byte b followed by n zero bytes: eight lookups, which do not
// wait for each other, advance the checksum by eight bytes.
constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t n = 1; n < kStride; ++n) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[n - 1][byte];
      tables[n][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~uint32_t{0};
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kStride; at += kStride, left -= kStride) {
    const uint64_t next = base::load_little_endian<uint64_t>(at) ^ crc;
    crc = kTables[7][next & 0xFF] ^ kTables[6][(next >> 8) & 0xFF] ^
          kTables[5][(next >> 16) & 0xFF] ^ kTables[4][(next >> 24) & 0xFF] ^
          kTables[3][(next >> 32) & 0xFF] ^ kTables[2][(next >> 40) & 0xFF] ^
          kTables[1][(next >> 48) & 0xFF] ^ kTables[0][next >> 56];
  }
  for (; left > 0; ++at, --left) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xFF];
  }
  return ~crc;
}

}  // namespace pegmove::wire
