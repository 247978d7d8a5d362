#include "record/hash.h"

#include <array>
#include <cstddef>

#include "base/bytes.h"
#include "base/check.h"

namespace pegmove::record {
namespace {

constexpr uint64_t kPolynomial = 0x9A6C9329AC4BC9B5;
constexpr size_t kStride = 8;

using Tables = std::array<std::array<uint64_t, 256>, kStride>;

// tables[n][b] is the remainder of byte b followed by n zero bytes: eight lookups, which do not
// wait for each other, advance the checksum by eight bytes.
constexpr Tables make_tables() {
  Tables tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (size_t n = 1; n < kStride; ++n) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint64_t before = tables[n - 1][byte];
      tables[n][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

uint64_t crc64(std::string_view bytes) {
  uint64_t crc = ~uint64_t{0};
  const char* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kStride; at += kStride, left -= kStride) {
    crc ^= base::load_little_endian<uint64_t>(at);
    crc = kTables[7][crc & 0xFF] ^ kTables[6][(crc >> 8) & 0xFF] ^ kTables[5][(crc >> 16) & 0xFF] ^
          kTables[4][(crc >> 24) & 0xFF] ^ kTables[3][(crc >> 32) & 0xFF] ^
          kTables[2][(crc >> 40) & 0xFF] ^ kTables[1][(crc >> 48) & 0xFF] ^ kTables[0][crc >> 56];
  }
  for (; left > 0; ++at, --left) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xFF];
  }
  return ~crc;
}

uint64_t key_hash(std::string_view hash_key, std::string_view sort_key) {
  return crc64(hash_key.empty() ? sort_key : hash_key);
}

int32_t partition_index(uint64_t hash, int32_t partition_count) {
  base::check(partition_count > 0, "a table has partitions");
  return static_cast<int32_t>(hash % static_cast<uint64_t>(partition_count));
}

}  // namespace pegmove::record
