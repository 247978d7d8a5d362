#include "base/bytes.h"

#include <gtest/gtest.h>

#include <random>

namespace pegmove::base {
namespace {

std::string random_bytes(std::mt19937& random, size_t most) {
  std::string bytes(random() % (most + 1), '\0');
  for (char& byte : bytes) byte = char(random());
  return bytes;
}

TEST(Bytes, HexAndBase64GiveAnyBytesBack) {
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    auto bytes = random_bytes(random, 40);
    EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
}

TEST(Bytes, Base64IsTheStandardOne) {
  EXPECT_EQ(to_base64("Pegasus"), "UGVnYXN1cw==");
  EXPECT_EQ(to_base64(""), "");
}

TEST(Bytes, RefusesWhatIsNoHexOrBase64) {
  for (const char* text : {"0", "0g", "zz"}) EXPECT_FALSE(from_hex(text)) << text;
  for (const char* text : {"A", "AAA", "A===", "AA=A", "AA A", "====", "AAAA="})
    EXPECT_FALSE(from_base64(text)) << text;
}

TEST(Bytes, TellsUtf8FromOtherBytes) {
  for (std::string_view text :
       {"", "plain", "d\xc3\xa9j\xc3\xa0", "\xe2\x82\xac", "\xf0\x9f\x90\xb4"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (std::string_view bytes : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xff",
                                 "\xf4\x90\x80\x80", "\xe2\x82"})
    EXPECT_FALSE(is_utf8(bytes)) << to_hex(bytes);
}

TEST(Bytes, PrintableNamesAKeyOnOneLine) {
  EXPECT_EQ(printable(std::string_view("a\"b\\\n\0", 6)), "a\\\"b\\\\\\x0A\\x00");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

TEST(Bytes, SharedBytesOutliveTheirMaker) {
  SharedBytes copy;
  {
    auto made = SharedBytes::own(std::string(100, 'x'));
    copy = made;
  }
  EXPECT_EQ(copy.view, std::string(100, 'x'));
}

}  // namespace
}  // namespace pegmove::base
