#include "server/meta/duplication/duplication_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pegmove::server::meta {
namespace {

using ::testing::HasSubstr;

DuplicationRecord example() {
  return {.app_id = 3,
          .id = 1795959337,
          .remote = "onebox2",
          .remote_table = "other",
          .remote_replica_count = 3,
          .status = wire::DS_APP,
          .fail_mode = wire::FAIL_SKIP,
          .create_ms = 1795959337398,
          .is_checkpoint_ready = true,
          .confirmed = {0, 17, 42}};
}

MetaValues values_with(const DuplicationRecord& record) {
  MetaBatch batch;
  batch.put("/apps", "{}");
  batch.put("/apps/3", "{}");
  put_whole_duplication(batch, record);
  MetaValues values;
  batch.apply_to(values);
  return values;
}

TEST(DuplicationRecords, AreReadAsTheyWereWritten) {
  const auto values = values_with(example());
  EXPECT_EQ(values.at("/apps/3/duplication/1795959337/1"), "17") << "as in Pegasus";
  EXPECT_THAT(values.at("/apps/3/duplication/1795959337"),
              HasSubstr(R"("create_timestamp_ms":1795959337398)"));
  const auto state = read_duplications(values);
  ASSERT_TRUE(state) << state.error().to_string();
  EXPECT_EQ(*state, (DuplicationState{{3, {{1795959337, example()}}}}));
}

TEST(DuplicationRecords, GoWithTheirTableAndAlone) {
  auto values = values_with(example());
  MetaBatch batch;
  remove_duplication(batch, example());
  batch.apply_to(values);
  EXPECT_TRUE(values.contains("/apps/3"));
  EXPECT_TRUE(read_duplications(values)->empty());

  values = values_with(example());
  MetaBatch table;
  remove_table(table, 3);
  table.apply_to(values);
  EXPECT_EQ(values.size(), 1);
}

TEST(DuplicationRecords, NameTheValueThatIsWrong) {
  const std::string path = "/apps/3/duplication/1795959337";
  const auto error_of = [&](const std::string& at, std::optional<std::string> value) {
    auto values = values_with(example());
    if (value)
      values[at] = *value;
    else
      values.erase(at);
    const auto state = read_duplications(values);
    EXPECT_FALSE(state) << at;
    return state ? "" : state.error().to_string();
  };
  EXPECT_THAT(error_of(path + "/1", std::nullopt), HasSubstr("no value of partition 1"));
  EXPECT_THAT(error_of(path + "/1", "x"), HasSubstr(path + "/1 is not a decree"));
  EXPECT_THAT(error_of(path + "/1", "-1"), HasSubstr(path + "/1 is not a decree"));
  EXPECT_THAT(error_of(path + "/x", "1"), HasSubstr(path + "/x"));
  EXPECT_THAT(error_of(path, "no JSON"), HasSubstr(path));
  EXPECT_THAT(error_of("/apps/3/duplication/0", "{}"), HasSubstr("an id out of range"));
  auto text = values_with(example()).at(path);
  text.replace(text.find("DS_APP"), 6, "DS_REMOVED");
  EXPECT_THAT(error_of(path, text), HasSubstr("DS_PREPARE, DS_APP, DS_LOG or DS_PAUSE"));
}

}  // namespace
}  // namespace pegmove::server::meta
