#include "rows/row_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "record/key.h"

namespace pegmove::rows {
namespace {

constexpr TextFormat kFormats[] = {TextFormat::kJsonl, TextFormat::kTsv};

std::string line_of(TextFormat format, const OwnedRow& row) {
  std::string line;
  append_row(format, row.view(), line);
  EXPECT_TRUE(line.ends_with('\n'));
  line.pop_back();
  EXPECT_EQ(line.find('\n'), std::string::npos);
  return line;
}

void expect_round_trip(const OwnedRow& row) {
  for (TextFormat format : kFormats) {
    std::string line = line_of(format, row);
    auto parsed = parse_row(format, line);
    ASSERT_TRUE(parsed) << line << ": " << parsed.error().to_string();
    EXPECT_EQ(*parsed, row) << line;
    EXPECT_EQ(parse_row(format, line + '\r').value(), row) << line;
  }
}

std::string error_of(TextFormat format, std::string_view line) {
  auto row = parse_row(format, line);
  if (row) return "(no error)";
  EXPECT_EQ(row.error().code(), Code::kInvalidArgument);
  return row.error().to_string();
}

void expect_error(TextFormat format, std::string_view line, std::string_view part) {
  std::string error = error_of(format, line);
  EXPECT_NE(error.find(part), std::string::npos) << line << "\n  gave: " << error;
}

// Of bytes of every kind: any, ASCII, controls, pieces of UTF-8.
std::string random_bytes(std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"\xc3\xa9",
                                                   "\xe6\x97\xa5",
                                                   "\xf0\x9f\x90\x98",
                                                   "\xe2\x80\xa8",
                                                   "\xed\xa0\x80",
                                                   "\xc0\x80",
                                                   "\xf4\x90\x80\x80",
                                                   "\\",
                                                   "\\x41",
                                                   "\\t",
                                                   "\"",
                                                   "\t",
                                                   "\n",
                                                   "\r",
                                                   std::string(1, '\0'),
                                                   "\x7f",
                                                   "\xc3",
                                                   "\xe6\x97",
                                                   "\xf0\x9f\x90"};
  std::string bytes;
  auto kind = random() % 4;
  for (auto left = random() % 24; left > 0; --left) {
    switch (kind) {
      case 0: bytes += char(random()); break;
      case 1: bytes += char(random() % 128); break;
      case 2: bytes += char('a' + random() % 26); break;
      default: bytes += kPieces[random() % kPieces.size()];
    }
  }
  return bytes;
}

TEST(RowText, RoundTripsRandomBytes) {
  std::mt19937 random(20160101);
  for (int i = 0; i < 3000; ++i) {
    expect_round_trip({random_bytes(random), random_bytes(random), random_bytes(random),
                       i % 2 == 0 ? 0 : uint32_t(random())});
  }
}

TEST(RowText, RoundTripsEveryByteAlone) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string text(1, char(byte));
    expect_round_trip({text, text + text, "a" + text + "b", 0});
  }
}

TEST(RowText, RoundTripsTheLimits) {
  expect_round_trip({"", "", "", 0});
  expect_round_trip(
      {std::string(record::kMaxHashKeySize, 'h'), "s", std::string(100000, '\xff'), 1});
  expect_round_trip({"h", "s", "v", UINT32_MAX});
}

TEST(RowText, NamesItsFormats) {
  EXPECT_EQ(parse_text_format("jsonl").value(), TextFormat::kJsonl);
  EXPECT_EQ(parse_text_format("tsv").value(), TextFormat::kTsv);
  for (std::string_view text : {"", "JSONL", "csv", "jsonl "}) {
    auto format = parse_text_format(text);
    ASSERT_FALSE(format);
    EXPECT_EQ(format.error().code(), Code::kInvalidArgument);
  }
}

TEST(RowText, AppendsBehindWhatIsThere) {
  std::string out = "x";
  append_row(TextFormat::kTsv, {"h", "s", "v", 0}, out);
  append_row(TextFormat::kJsonl, {"h", "s", "v", 0}, out);
  EXPECT_EQ(out, "xh\ts\tv\n{\"hash_key\":\"h\",\"sort_key\":\"s\",\"value\":\"v\"}\n");
}

TEST(RowText, RefusesAHashKeyThatIsTooLong) {
  OwnedRow row{std::string(record::kMaxHashKeySize + 1, 'h'), "s", "v", 0};
  for (TextFormat format : kFormats)
    expect_error(format, line_of(format, row), "hash_key has 65535 bytes; at most 65534");
}

TEST(RowText, RefusesAnExpiryOutOfRange) {
  for (std::string unix_seconds :
       {"0", "-1", "1451606399", "1451606400", "5746573696", "9223372036854775807",
        "-9223372036854775808", "9223372036854775808", "99999999999999999999999"}) {
    std::string json = R"({"hash_key":"h","sort_key":"s","value":"v","expire_ts":)" + unix_seconds;
    expect_error(TextFormat::kJsonl, json + "}", "expire_ts");
    expect_error(TextFormat::kTsv, "h\ts\tv\t" + unix_seconds, "expire_ts");
  }
}

TEST(RowText, TakesTheFirstAndTheLastExpiry) {
  EXPECT_EQ(parse_row(TextFormat::kTsv, "h\ts\tv\t1451606401")->expire_ts, 1u);
  EXPECT_EQ(parse_row(TextFormat::kTsv, "h\ts\tv\t5746573695")->expire_ts, UINT32_MAX);
}

TEST(Jsonl, WritesTheDocumentedLine) {
  EXPECT_EQ(line_of(TextFormat::kJsonl, {"user1", "name", "Ann", 1767225600 - 1451606400}),
            R"({"hash_key":"user1","sort_key":"name","value":"Ann","expire_ts":1767225600})");
  EXPECT_EQ(line_of(TextFormat::kJsonl, {"user2", "", std::string("\xff\0", 2), 0}),
            R"({"hash_key":"user2","sort_key":"","value_b64":"/wA="})");
}

TEST(Jsonl, EscapesOnlyWhatItMust) {
  EXPECT_EQ(line_of(TextFormat::kJsonl,
                    {std::string("\0\x1f\x0b", 3), "\b\f\n\r\t\"\\/", "\xc3\xa9\x7f", 0}),
            R"({"hash_key":"\u0000\u001f\u000b","sort_key":"\b\f\n\r\t\"\\/","value":")"
            "\xc3\xa9\x7f\"}");
}

TEST(Jsonl, TakesFieldsInAnyOrderAndJsonEscapes) {
  auto row = parse_row(TextFormat::kJsonl,
                       R"( { "expire_ts" : 1451606401 , "value":"\u00e9\ud83d\udc18\/",)"
                       R"( "sort_key_b64":"", "hash_key_b64":"aGFzaA==" } )");
  ASSERT_TRUE(row) << row.error().to_string();
  EXPECT_EQ(*row, (OwnedRow{"hash", "", "\xc3\xa9\xf0\x9f\x90\x98/", 1}));
}

TEST(Jsonl, RefusesWhatIsNoObject) {
  for (std::string_view line : {"", " ", "{", "{}x", "{} {}", "nonsense", "\"text",
                                "{\"value\":", "{\"value\":\"a\",}", "{'value':1}", "[", "1e999"})
    expect_error(TextFormat::kJsonl, line, "not a JSON object");
  expect_error(TextFormat::kJsonl, "[]", "not a JSON object but an array");
  expect_error(TextFormat::kJsonl, "\"a\"", "not a JSON object but a string");
  expect_error(TextFormat::kJsonl, "1", "not a JSON object but a number");
  expect_error(TextFormat::kJsonl, "-1", "not a JSON object but a number");
  expect_error(TextFormat::kJsonl, "99999999999999999999", "not a JSON object but a number");
  expect_error(TextFormat::kJsonl, "null", "not a JSON object but null");
  expect_error(TextFormat::kJsonl, "true", "not a JSON object but a boolean");
}

TEST(Jsonl, SaysWhereTheJsonIsBad) {
  expect_error(TextFormat::kJsonl, R"({"value":"a" "b"})", "bad JSON at byte 16");
  expect_error(TextFormat::kJsonl, R"({"value":"\ud800"})", "bad JSON at byte");
  expect_error(TextFormat::kJsonl, "{\"value\":\"\xff\"}", "not UTF-8");
}

TEST(Jsonl, RefusesMissingFields) {
  expect_error(TextFormat::kJsonl, "{}", "field \"hash_key\" (or \"hash_key_b64\") is missing");
  expect_error(TextFormat::kJsonl, R"({"hash_key":"","value":""})", "\"sort_key\"");
  expect_error(TextFormat::kJsonl, R"({"hash_key":"","sort_key":""})", "\"value\"");
}

TEST(Jsonl, RefusesUnknownRepeatedAndDoubleFields) {
  expect_error(TextFormat::kJsonl, R"({"ttl":1})", "unknown field \"ttl\"");
  expect_error(TextFormat::kJsonl, R"({"":1})", "unknown field \"\"");
  expect_error(TextFormat::kJsonl, R"({"_b64":1})", "unknown field \"_b64\"");
  expect_error(TextFormat::kJsonl, R"({"expire_ts_b64":""})", "unknown field \"expire_ts_b64\"");
  expect_error(TextFormat::kJsonl, R"({"value":"","value":""})", "\"value\" is given twice");
  expect_error(TextFormat::kJsonl, R"({"value_b64":"","value_b64":""})",
               "\"value_b64\" is given twice");
  expect_error(TextFormat::kJsonl, R"({"expire_ts":1451606401,"expire_ts":1451606401})",
               "\"expire_ts\" is given twice");
  expect_error(TextFormat::kJsonl, R"({"value":"","value_b64":""})",
               "both \"value\" and \"value_b64\"");
  expect_error(TextFormat::kJsonl, R"({"hash_key_b64":"","hash_key":""})",
               "both \"hash_key\" and \"hash_key_b64\"");
}

TEST(Jsonl, RefusesWrongTypes) {
  for (std::string_view value : {"1", "-1", "1.5", "99999999999999999999", "null", "true", "[]",
                                 "[[[[", "{}", "{\"value\":\"\"}"}) {
    std::string line = R"({"hash_key":)" + std::string(value) + "}";
    expect_error(TextFormat::kJsonl, line, "field \"hash_key\" must be a string but is");
  }
  for (std::string_view value : {"\"1451606401\"", "1451606401.0", "1e10", "null", "false", "[]"}) {
    std::string line = R"({"expire_ts":)" + std::string(value) + "}";
    expect_error(TextFormat::kJsonl, line, "field \"expire_ts\" must be an integer");
  }
}

TEST(Jsonl, RefusesBadBase64) {
  for (std::string_view text : {"a", "aGFzaA", "aGFz aA=", "aG=zaA==", "____"}) {
    std::string line = R"({"value_b64":")" + std::string(text) + "\"}";
    expect_error(TextFormat::kJsonl, line, "field \"value_b64\": ");
  }
}

TEST(Jsonl, BoundsWhatDeepNestingCosts) {
  expect_error(TextFormat::kJsonl, std::string(1 << 20, '['), "not a JSON object but an array");
}

TEST(Tsv, WritesTheDocumentedLine) {
  EXPECT_EQ(line_of(TextFormat::kTsv, {"user1", "name", "Ann", 1767225600 - 1451606400}),
            "user1\tname\tAnn\t1767225600");
  EXPECT_EQ(line_of(TextFormat::kTsv, {"user2", "", std::string("\xff\0", 2), 0}),
            "user2\t\t\\xFF\\x00");
}

TEST(Tsv, EscapesOnlyWhatItMust) {
  EXPECT_EQ(line_of(TextFormat::kTsv, {"\t\n\r\\\x0b", "\"' \x7f", "\xc3\xa9\xc3|\xf0\x9f", 0}),
            "\\t\\n\\r\\\\\\x0B\t\"' \x7f\t\xc3\xa9\\xC3|\\xF0\\x9F");
}

TEST(Tsv, AnEmptyExpiryMeansNever) {
  EXPECT_EQ(parse_row(TextFormat::kTsv, "h\ts\tv\t").value(), (OwnedRow{"h", "s", "v", 0}));
  EXPECT_EQ(parse_row(TextFormat::kTsv, "h\ts\tv\t\r").value(), (OwnedRow{"h", "s", "v", 0}));
}

TEST(Tsv, TakesUnescapedBytesAsTheyAre) {
  EXPECT_EQ(parse_row(TextFormat::kTsv, std::string_view("\xff\0\ta\rb\t\\xaB", 11)).value(),
            (OwnedRow{std::string("\xff\0", 2), "a\rb", "\xab", 0}));
}

TEST(Tsv, RefusesAWrongNumberOfColumns) {
  expect_error(TextFormat::kTsv, "", "column sort_key is missing: 1 column, expected");
  expect_error(TextFormat::kTsv, "h", "column sort_key is missing: 1 column, expected");
  expect_error(TextFormat::kTsv, "h\ts", "column value is missing: 2 columns, expected");
  expect_error(TextFormat::kTsv, "h\ts\tv\t\t", "5 columns; expire_ts is the last one allowed");
}

TEST(Tsv, RefusesUnknownEscapes) {
  expect_error(TextFormat::kTsv, "\\q\ts\tv", "column hash_key: unknown escape");
  expect_error(TextFormat::kTsv, "h\t\\\tv", "column sort_key: unknown escape");
  expect_error(TextFormat::kTsv, "h\ts\ta\\", "column value: unknown escape");
  for (std::string_view text : {"\\x", "\\x1", "\\x1g", "\\x\\"}) {
    expect_error(TextFormat::kTsv, "h\ts\t" + std::string(text),
                 "column value: \\x must be followed by two hexadecimal digits");
  }
}

TEST(Tsv, RefusesAnExpiryThatIsNoInteger) {
  for (std::string_view text : {"never", "1451606401.0", " 1451606401", "0x10", "\\x31"})
    expect_error(TextFormat::kTsv, "h\ts\tv\t" + std::string(text), "expire_ts");
}

}  // namespace
}  // namespace pegmove::rows
