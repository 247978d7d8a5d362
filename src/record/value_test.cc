#include "record/value.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace pegmove::record {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

TEST(AppendValueHeader, WritesTheExpiryAloneInVersion0) {
  std::string out = "before";
  append_value_header(out, 0, 0x01020304, 0x1112131415161718);
  EXPECT_EQ(out, "before\x01\x02\x03\x04"s);
}

TEST(AppendValueHeader, WritesTheExpiryAndTheTimetagInVersion1) {
  std::string out;
  append_value_header(out, 1, 0x01020304, 0x1112131415161718);
  EXPECT_EQ(out, "\x01\x02\x03\x04\x11\x12\x13\x14\x15\x16\x17\x18"s);
}

TEST(AppendValueHeaderDeathTest, AVersionThatNoServerReadsEndsTheProcess) {
  std::string out;
  EXPECT_DEATH(append_value_header(out, 2, 0, 0), "data versions 0 and 1 are written");
  EXPECT_DEATH(append_value_header(out, -1, 0, 0), "data versions 0 and 1 are written");
}

TEST(DecodeValue, ReadsVersion0) {
  const auto value = decode_value(0, "\x01\x02\x03\x04user"sv);
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->header.expire_ts, 0x01020304U);
  EXPECT_EQ(value->header.timetag, 0U);
  EXPECT_EQ(value->header.size, 4U);
  EXPECT_EQ(value->user_data, "user");
}

TEST(DecodeValue, ReadsVersion2) {
  const auto value = decode_value(2, "\x82\x01\x02\x03\x04\x11\x12\x13\x14\x15\x16\x17\x18user"sv);
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->header.expire_ts, 0x01020304U);
  EXPECT_EQ(value->header.timetag, 0x1112131415161718U);
  EXPECT_EQ(value->header.size, 13U);
  EXPECT_EQ(value->user_data, "user");
}

TEST(DecodeValue, RejectsVersion2WithoutItsMark) {
  for (const char mark : {'\x00', '\x02', '\x81', '\x83', '\xff'}) {
    EXPECT_FALSE(decode_value(2, std::string(1, mark) + std::string(12, '\0')).has_value());
  }
}

TEST(DecodeValue, ReadsAVersion1ExpiryThatLooksLikeTheMarkOfVersion2) {
  const std::string stored = "\x82\xff\xff\xff"s + std::string(8, '\0') + "user";
  const auto value = decode_value(1, stored);
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(value->header.expire_ts, 0x82ffffffU);
  EXPECT_EQ(value->user_data, "user");
}

TEST(DecodeValue, RejectsAValueShorterThanItsHeader) {
  constexpr size_t kHeaderSizes[] = {4, 12, 13};
  for (int version = 0; version <= 2; ++version) {
    const size_t header_size = kHeaderSizes[version];
    for (size_t size = 0; size < header_size; ++size) {
      EXPECT_FALSE(decode_value(version, std::string(size, '\x82')).has_value());
    }
    const std::string bare(header_size, '\x82');
    const auto value = decode_value(version, bare);
    ASSERT_TRUE(value.has_value());
    EXPECT_EQ(value->user_data, "");
  }
}

TEST(DecodeValue, RejectsUnknownVersions) {
  EXPECT_FALSE(decode_value(-1, std::string(32, '\0')).has_value());
  EXPECT_FALSE(decode_value(3, std::string(32, '\x83')).has_value());
}

TEST(DecodeValue, UndoesAppendValueHeader) {
  std::mt19937_64 random(8);
  for (int i = 0; i < 1000; ++i) {
    const int version = i % 2;
    const auto expire_ts = static_cast<uint32_t>(random());
    const uint64_t timetag = random();
    const std::string user_data(random() % 20, static_cast<char>(random()));
    std::string stored;
    append_value_header(stored, version, expire_ts, timetag);
    const size_t header_size = stored.size();
    stored += user_data;

    const auto value = decode_value(version, stored);
    ASSERT_TRUE(value.has_value());
    ASSERT_EQ(value->header.expire_ts, expire_ts);
    ASSERT_EQ(value->header.timetag, version == 0 ? 0 : timetag);
    ASSERT_EQ(value->header.size, header_size);
    ASSERT_EQ(value->user_data, user_data);
  }
}

TEST(Timetag, HoldsTheTimeTheClusterAndTheDeletion) {
  static_assert(make_timetag(1, 0, false) == 0x100);
  static_assert(make_timetag(0, 1, false) == 0x02);
  static_assert(make_timetag(0, 0, true) == 0x01);
  EXPECT_EQ(make_timetag(0x11223344556677, 0x7F, true), 0x11223344556677FFU);
  EXPECT_EQ(timetag_timestamp_us(0x11223344556677FF), 0x11223344556677U);
  EXPECT_EQ(timetag_cluster_id(0x11223344556677FF), 0x7F);
  EXPECT_TRUE(timetag_deleted(0x11223344556677FF));
  EXPECT_FALSE(timetag_deleted(0x11223344556677FE));
}

TEST(Timetag, DropsBitsThatDoNotFit) {
  EXPECT_EQ(make_timetag(0, 0xFF, false), 0xFEU);
  EXPECT_EQ(make_timetag(UINT64_MAX, 0, false), 0xFFFFFFFFFFFFFF00U);
}

TEST(Timetag, SplitsIntoWhatItWasMadeOf) {
  std::mt19937_64 random(9);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t timestamp_us = random() >> 8;
    const auto cluster_id = static_cast<uint8_t>(random() & 0x7F);
    const bool deleted = random() % 2 == 0;
    const uint64_t timetag = make_timetag(timestamp_us, cluster_id, deleted);
    ASSERT_EQ(timetag_timestamp_us(timetag), timestamp_us);
    ASSERT_EQ(timetag_cluster_id(timetag), cluster_id);
    ASSERT_EQ(timetag_deleted(timetag), deleted);
  }
}

TEST(Timetag, OrdersByTimeThenByCluster) {
  EXPECT_LT(make_timetag(1, 0x7F, true), make_timetag(2, 0, false));
  EXPECT_LT(make_timetag(2, 1, true), make_timetag(2, 2, false));
}

}  // namespace
}  // namespace pegmove::record
