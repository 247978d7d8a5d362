// Cyclic redundancy checks, for the folders that define one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace pegmove::base {

inline constexpr size_t kCrcStride = 8;

template <typename Word>
using CrcTables = std::array<std::array<Word, 256>, kCrcStride>;

// tables[n][b] is the remainder of byte b followed by n zero bytes: eight independent lookups
// advance the checksum by eight bytes.
template <typename Word>
constexpr CrcTables<Word> make_crc_tables(Word polynomial) {
  CrcTables<Word> tables{};
  for (Word byte = 0; byte < 256; ++byte) {
    Word crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? polynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t n = 1; n < kCrcStride; ++n) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const Word before = tables[n - 1][byte];
      tables[n][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

// Of 32 or 64 bits: reflected, initial value and final xor all ones. The empty input gives 0.
template <typename Word>
Word crc(const CrcTables<Word>& tables, std::string_view bytes) {
  Word crc = ~Word{0};
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kCrcStride; at += kCrcStride, left -= kCrcStride) {
    const uint64_t next = load_little_endian<uint64_t>(at) ^ crc;
    crc = tables[7][next & 0xFF] ^ tables[6][(next >> 8) & 0xFF] ^ tables[5][(next >> 16) & 0xFF] ^
          tables[4][(next >> 24) & 0xFF] ^ tables[3][(next >> 32) & 0xFF] ^
          tables[2][(next >> 40) & 0xFF] ^ tables[1][(next >> 48) & 0xFF] ^ tables[0][next >> 56];
  }
  for (; left > 0; ++at, --left)
    crc = (crc >> 8) ^ tables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xFF];
  return ~crc;
}

}  // namespace pegmove::base
