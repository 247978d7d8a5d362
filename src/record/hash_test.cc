#include "record/hash.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace pegmove::record {
namespace {

using namespace std::string_view_literals;

// The definition, bit by bit.
uint64_t slow_crc64(std::string_view bytes) {
  uint64_t crc = ~uint64_t{0};
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x9A6C9329AC4BC9B5 : 0);
  }
  return ~crc;
}

TEST(Crc64, GivesTheValuesOfARealCluster) {
  EXPECT_EQ(crc64(""), 0U);
  EXPECT_EQ(crc64(std::string_view()), 0U);
  EXPECT_EQ(crc64("a"), 0x8c2f8445b4cbfc3cU);
  EXPECT_EQ(crc64("123456789"), 0xae8b14860a799888U);
  EXPECT_EQ(crc64("hash"), 0x5fec6e448a0b067cU);
  EXPECT_EQ(crc64("hashkey"), 0x1299d9b06672773aU);
  EXPECT_EQ(crc64("temp"), 0x732e97fffe893940U);
}

TEST(Crc64, AgreesWithTheBitwiseDefinitionAtEveryLengthAndAlignment) {
  std::mt19937 random(1);
  std::string bytes(64, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t from = 0; from < 8; ++from) {
    for (size_t length = 0; from + length <= bytes.size(); ++length) {
      const auto part = std::string_view(bytes).substr(from, length);
      ASSERT_EQ(crc64(part), slow_crc64(part)) << "from " << from << ", length " << length;
    }
  }
}

TEST(KeyHash, CoversTheHashKeyAlone) {
  EXPECT_EQ(key_hash("hash", "one"), crc64("hash"));
  EXPECT_EQ(key_hash("hash", ""), crc64("hash"));
  EXPECT_EQ(key_hash("\0"sv, "sort"), crc64("\0"sv));
}

TEST(KeyHash, CoversTheSortKeyWhenTheHashKeyIsEmpty) {
  EXPECT_EQ(key_hash("", "temp"), crc64("temp"));
  EXPECT_EQ(key_hash("", ""), 0U);
}

TEST(PartitionIndex, IsTheUnsignedRemainder) {
  EXPECT_EQ(partition_index(0, 8), 0);
  EXPECT_EQ(partition_index(crc64("temp"), 8), 0);
  EXPECT_EQ(partition_index(crc64("hashkey"), 8), 2);
  EXPECT_EQ(partition_index(UINT64_MAX, 16), 15);
  EXPECT_EQ(partition_index(UINT64_MAX, 10), 5);  // 18446744073709551615
  EXPECT_EQ(partition_index(UINT64_MAX, 1), 0);
  EXPECT_EQ(partition_index(uint64_t{1} << 63, INT32_MAX), 2);  // 2^63 = 2^(31*2+1), 2^31 = 1
}

TEST(PartitionIndex, KeepsOrMovesByThePartitionCountWhenItDoubles) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t hash = random();
    const int32_t parent = partition_index(hash, 8);
    const int32_t child = partition_index(hash, 16);
    ASSERT_TRUE(child == parent || child == parent + 8);
  }
}

TEST(PartitionIndexDeathTest, ACountThatIsNotPositiveEndsTheProcess) {
  EXPECT_DEATH(partition_index(1, 0), "a table has partitions");
  EXPECT_DEATH(partition_index(1, -8), "a table has partitions");
}

}  // namespace
}  // namespace pegmove::record
