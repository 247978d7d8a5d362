#include "record/key.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <tuple>

#include "record/hash.h"

namespace pegmove::record {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

// Up to `longest` bytes out of a few values, so that equal prefixes and runs of 0xFF are common.
std::string random_bytes(std::mt19937& random, size_t longest) {
  constexpr std::string_view kValues = "\x00\x01\x7f\x80\xfe\xff\xff"sv;
  std::string bytes(random() % (longest + 1), '\0');
  for (char& byte : bytes) byte = kValues[random() % kValues.size()];
  return bytes;
}

TEST(EncodeKey, WritesTheLengthTheHashKeyAndTheSortKey) {
  EXPECT_EQ(encode_key("hash", "sort"), "\x00\x04hashsort"s);
  EXPECT_EQ(encode_key("", "sort"), "\x00\x00sort"s);
  EXPECT_EQ(encode_key("hash", ""), "\x00\x04hash"s);
  EXPECT_EQ(encode_key("", ""), "\x00\x00"s);
  EXPECT_EQ(encode_key(std::string(258, 'h'), "s"), "\x01\x02"s + std::string(258, 'h') + "s");
}

TEST(EncodeKey, TakesTheLongestHashKey) {
  const std::string longest(kMaxHashKeySize, 'h');
  const std::string raw = encode_key(longest, "s");
  EXPECT_EQ(raw.substr(0, 2), "\xff\xfe"s);
  EXPECT_EQ(split_key(raw), (KeyParts{longest, "s"}));
}

TEST(EncodeKeyDeathTest, AHashKeyThatIsTooLongEndsTheProcess) {
  constexpr const char* kWhy = "a hash key was checked before it is encoded";
  EXPECT_DEATH(encode_key(std::string(kMaxHashKeySize + 1, 'h'), ""), kWhy);
  EXPECT_DEATH(next_hash_key(std::string(65536, 'h')), kWhy);
}

TEST(AppendKey, KeepsWhatStandsBefore) {
  std::string out = "before";
  append_key(out, "h", "s");
  EXPECT_EQ(out, "before\x00\x01hs"s);
}

TEST(CheckHashKey, TakesUpTo65534Bytes) {
  EXPECT_TRUE(check_hash_key("").has_value());
  EXPECT_TRUE(check_hash_key(std::string(65534, 'h')).has_value());
}

TEST(CheckHashKey, RefusesALongerOneByItsStartAndSize) {
  const auto result = check_hash_key(std::string(65535, 'h'));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), Code::kInvalidArgument);
  EXPECT_NE(result.error().message().find("hhhh"), std::string::npos);
  EXPECT_NE(result.error().message().find("65535"), std::string::npos);
  EXPECT_LT(result.error().message().size(), 200U);
}

TEST(SplitKey, RejectsATruncatedKey) {
  EXPECT_EQ(split_key(""), std::nullopt);
  EXPECT_EQ(split_key(std::string_view()), std::nullopt);
  EXPECT_EQ(split_key("\x00"sv), std::nullopt);
  EXPECT_EQ(split_key("\x00\x01"sv), std::nullopt);
  EXPECT_EQ(split_key("\x00\x05hash"sv), std::nullopt);
  EXPECT_EQ(split_key("\x01\x00h"sv), std::nullopt);
}

TEST(SplitKey, RejectsTheInvalidLengthEvenWhenTheBytesAreThere) {
  EXPECT_EQ(split_key("\xff\xff"s + std::string(65535, 'h')), std::nullopt);
}

TEST(SplitKey, GivesViewsOfTheRawKey) {
  const std::string raw = "\x00\x04hashsort"s;
  const auto parts = split_key(raw);
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->hash_key.data(), raw.data() + 2);
  EXPECT_EQ(parts->sort_key.data(), raw.data() + 6);
  EXPECT_EQ(split_key("\x00\x04hash"sv), (KeyParts{"hash", ""}));
  EXPECT_EQ(split_key("\x00\x00"sv), (KeyParts{"", ""}));
}

TEST(SplitKey, UndoesEncodeKey) {
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    const std::string hash_key = random_bytes(random, 300);
    const std::string sort_key = random_bytes(random, 20);
    ASSERT_EQ(split_key(encode_key(hash_key, sort_key)), (KeyParts{hash_key, sort_key}));
  }
}

TEST(SplitKey, AcceptsOnlyWhatEncodesToTheSameBytes) {
  std::mt19937 random(4);
  int accepted = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string raw = random_bytes(random, 6);
    const auto parts = split_key(raw);
    accepted += parts.has_value();
    ASSERT_EQ(parts ? encode_key(parts->hash_key, parts->sort_key) : raw, raw);
  }
  EXPECT_GT(accepted, 20);
}

TEST(RawKeyOrder, IsHashKeySizeThenHashKeyThenSortKey) {
  std::mt19937 random(5);
  for (int i = 0; i < 5000; ++i) {
    const std::string hash_a = random_bytes(random, 3), sort_a = random_bytes(random, 3);
    const std::string hash_b = random_bytes(random, 3), sort_b = random_bytes(random, 3);
    const auto expected =
        std::tuple(hash_a.size(), hash_a, sort_a) <=> std::tuple(hash_b.size(), hash_b, sort_b);
    ASSERT_EQ(encode_key(hash_a, sort_a) <=> encode_key(hash_b, sort_b), expected);
  }
}

TEST(NextAfterPrefix, StripsTrailingFfAndIncrementsTheLastByte) {
  EXPECT_EQ(next_after_prefix("\x00\x01h"sv), "\x00\x01i"s);
  EXPECT_EQ(next_after_prefix("\x00\x01\x7f"sv), "\x00\x01\x80"s);
  EXPECT_EQ(next_after_prefix("\x00\x01\xff"sv), "\x00\x02"s);
  EXPECT_EQ(next_after_prefix("\x00\xff\xff\xff"sv), "\x01"s);
}

TEST(NextAfterPrefix, IsEmptyWhenThereIsNoUpperBound) {
  EXPECT_EQ(next_after_prefix(""), "");
  EXPECT_EQ(next_after_prefix("\xff"), "");
  EXPECT_EQ(next_after_prefix("\xff\xff\xff"), "");
}

// Every string lies below the next exactly if it lies below the prefix or begins with it: so no
// smaller string has the property.
TEST(NextAfterPrefix, IsTheSmallestStringAboveAllThatBeginWithThePrefix) {
  std::mt19937 random(6);
  for (int i = 0; i < 20000; ++i) {
    const std::string prefix = random_bytes(random, 3);
    const std::string next = next_after_prefix(prefix);
    const std::string any = (i % 2 == 0 ? prefix : ""s) + random_bytes(random, 4);
    const bool within = any < prefix || any.starts_with(prefix);
    ASSERT_EQ(next.empty() || any < next, within);
  }
}

TEST(NextHashKey, EndsTheKeysOfOneHashKey) {
  EXPECT_EQ(next_hash_key("hash"), "\x00\x04hasi"s);
  EXPECT_EQ(next_hash_key(""), "\x00\x01"s);
  EXPECT_EQ(next_hash_key("\xff\xff"), "\x00\x03"s);
  EXPECT_EQ(next_hash_key(std::string(kMaxHashKeySize, '\xff')), "\xff\xff"s);
}

TEST(NextHashKey, LiesAboveItsOwnKeysAndNotAboveThoseOfTheFollowingHashKeys) {
  std::mt19937 random(7);
  for (int i = 0; i < 5000; ++i) {
    const std::string hash_key = random_bytes(random, 3);
    const std::string next = next_hash_key(hash_key);
    ASSERT_LT(encode_key(hash_key, random_bytes(random, 4)), next);
    const std::string other = random_bytes(random, 3);
    const bool follows = std::tuple(other.size(), other) > std::tuple(hash_key.size(), hash_key);
    ASSERT_EQ(encode_key(other, "") >= next, follows);
  }
}

TEST(RawKeyHash, IsTheHashOfTheParts) {
  EXPECT_EQ(raw_key_hash({"hash", "sort"}), crc64("hash"));
  EXPECT_EQ(raw_key_hash({"", "temp"}), crc64("temp"));
}

}  // namespace
}  // namespace pegmove::record
