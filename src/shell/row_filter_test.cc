#include "shell/row_filter.h"

#include <gtest/gtest.h>

#include <sstream>

namespace pegmove::shell {
namespace {

constexpr OptionSpec kSpecs[] = {
    {'h', "hash_key_filter_type", true}, {'x', "hash_key_filter_pattern", true},
    {'s', "sort_key_filter_type", true}, {'y', "sort_key_filter_pattern", true},
    {'v', "value_filter_type", true},    {'z', "value_filter_pattern", true}};

Result<RowFilters> parse(std::vector<std::string> words, Patterns patterns = Patterns::kPlain) {
  return parse_filters(TRY(Options::parse(words, kSpecs)), patterns);
}

TEST(RowFilters, AcceptEverythingByDefault) {
  auto filters = parse({});
  ASSERT_TRUE(filters);
  EXPECT_FALSE(filters->need_rows_here());
  EXPECT_TRUE(filters->accepts_rest("", ""));
  client::ScanOptions options;
  filters->apply_to(options);
  EXPECT_EQ(options.hash_key_filter, 0);
  EXPECT_EQ(options.sort_key_filter, 0);
}

TEST(RowFilters, LeaveKeysToTheServer) {
  auto filters = parse({"-h", "PREFIX", "-x", "user", "-s", "postfix", "-y", "9"});
  ASSERT_TRUE(filters);
  EXPECT_FALSE(filters->need_rows_here());
  client::ScanOptions options;
  filters->apply_to(options);
  EXPECT_EQ(options.hash_key_filter, 2);
  EXPECT_EQ(options.hash_key_pattern, "user");
  EXPECT_EQ(options.sort_key_filter, 3);
  EXPECT_EQ(options.sort_key_pattern, "9");
}

TEST(RowFilters, MatchExactSortKeysAndValuesHere) {
  auto filters = parse({"-s", "exact", "-y", "ab", "-v", "anywhere", "-z", "x"});
  ASSERT_TRUE(filters);
  EXPECT_TRUE(filters->need_rows_here());
  client::ScanOptions options;
  filters->apply_to(options);
  EXPECT_EQ(options.sort_key_filter, 2);
  EXPECT_TRUE(filters->accepts_rest("ab", "1x2"));
  EXPECT_FALSE(filters->accepts_rest("abc", "1x2"));
  EXPECT_FALSE(filters->accepts_rest("ab", "12"));
}

TEST(RowFilters, NameTheOneThatIsInvalid) {
  EXPECT_EQ(parse({"-h", "exact"}).error().message(), "invalid hash_key_filter_type param");
  EXPECT_EQ(parse({"-s", "all"}).error().message(), "invalid sort_key_filter_type param");
  EXPECT_EQ(parse({"-v", ""}).error().message(), "invalid value_filter_type param");
}

TEST(RowFilters, ReadEscapesOfPatternsWhereAsked) {
  EXPECT_EQ(parse({"-y", "\\x01"})->sort_key.pattern, "\\x01");
  EXPECT_EQ(parse({"-y", "\\x01"}, Patterns::kEscaped)->sort_key.pattern, "\x01");
  EXPECT_FALSE(parse({"-y", "\\q"}, Patterns::kEscaped));
}

TEST(PrintFilter, ShowsThePatternIfOneWasTyped) {
  auto filters = parse({"-s", "prefix", "-y", "\x01"});
  ASSERT_TRUE(filters);
  std::ostringstream text;
  print_filter(text, "hash_key", filters->hash_key);
  print_filter(text, "sort_key", filters->sort_key, "INFO: ", " = ");
  EXPECT_EQ(text.str(),
            "hash_key_filter_type: no_filter\n"
            "INFO: sort_key_filter_type = prefix\n"
            "INFO: sort_key_filter_pattern = \"\\x01\"\n");
}

}  // namespace
}  // namespace pegmove::shell
