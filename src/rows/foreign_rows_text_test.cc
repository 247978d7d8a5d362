#include "rows/foreign_rows_text.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "record/key.h"

namespace pegmove::rows {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

client::ForeignRows some() {
  return {.rows = 1'234,
          .read = 1'000,
          .strays = 2,
          .stray_keys = {record::encode_key("h", "\xff"), record::encode_key("", "s")}};
}

TEST(ForeignRowsText, AResultHasTheKeysOfStrays) {
  nlohmann::ordered_json result{{"rows", 1}};
  add_foreign(result, some());
  EXPECT_EQ(result.dump(),
            R"({"rows":1,"foreign_rows":1234,"foreign_rows_read":1000,"stray_rows":2,)"
            R"("stray_keys":[{"hash_key":"h","sort_key_b64":"/w=="},)"
            R"({"hash_key":"","sort_key":"s"}]})");
}

TEST(ForeignRowsText, WithoutAnyTheirNumberIsAll) {
  nlohmann::ordered_json result;
  add_foreign(result, {}, "source_");
  EXPECT_EQ(result.dump(), R"({"source_foreign_rows":0})");
  EXPECT_EQ(foreign_text({}, "of table t"), "");
}

TEST(ForeignRowsText, PeopleAreShownTheFirst) {
  auto foreign = some();
  EXPECT_THAT(
      foreign_text(foreign, "of table t"),
      AllOf(HasSubstr("Left out: 1,234 foreign rows of table t."),
            HasSubstr("1,000 of their keys were read"), HasSubstr("Of these, 2 have no row"),
            HasSubstr("\nstray    \"h\" : \"\\xFF\"\n")));
  foreign.read = foreign.rows;
  foreign.strays = 0;
  foreign.stray_keys.clear();
  EXPECT_THAT(foreign_text(foreign, "of table t"),
              AllOf(Not(HasSubstr("were read")), Not(HasSubstr("Of these"))));
}

TEST(ForeignRowsText, TheJournalKeepsAll) {
  const auto back = foreign_from_journal(foreign_to_journal(some()));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(*back, some());
  EXPECT_EQ(foreign_to_journal({}), "");
  EXPECT_EQ(*foreign_from_journal(""), client::ForeignRows());
  EXPECT_FALSE(foreign_from_journal("{}"));
}

}  // namespace
}  // namespace pegmove::rows
