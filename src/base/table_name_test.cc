#include "base/table_name.h"

#include <gtest/gtest.h>

#include <string>

namespace pegmove::base {
namespace {

std::string error_of(std::string_view name) {
  auto checked = check_table_name(name);
  return checked ? "" : checked.error().to_string();
}

TEST(TableName, AcceptsWhatPegasusAccepts) {
  for (const char* name : {"t", "0", "Table_B", "a.b:c", "...", ".a", "_"})
    EXPECT_EQ(error_of(name), "") << name;
  EXPECT_EQ(error_of(std::string(kMaxTableNameSize, 'x')), "");
}

TEST(TableName, RefusesOtherCharactersInPegasussWords) {
  for (const char* name : {"", "a/b", "a b", "a-b", "ü", "a\nb", "\xFF", "/"}) {
    EXPECT_EQ(check_table_name(name).error().code(), Code::kInvalidArgument);
    EXPECT_NE(error_of(name).find("Invalid name: Only 0-9a-zA-Z.:_ are valid."), std::string::npos)
        << error_of(name);
  }
  EXPECT_FALSE(check_table_name(std::string("a\0b", 3)));
}

TEST(TableName, RefusesWhatIsNoFolderInABackup) {
  EXPECT_NE(error_of("..").find("'..'"), std::string::npos);
  EXPECT_NE(error_of(".").find("'.'"), std::string::npos);
  EXPECT_NE(error_of(std::string(300, 'x')).find("300 bytes; the longest is 244"),
            std::string::npos);
}

TEST(TableName, IsQuotedWhereATableIsMade) {
  EXPECT_TRUE(check_new_table("t"));
  EXPECT_EQ(check_new_table("a b").error().to_string(),
            "'a b' cannot be the name of a new table: Invalid name: Only 0-9a-zA-Z.:_ are valid.");
}

}  // namespace
}  // namespace pegmove::base
