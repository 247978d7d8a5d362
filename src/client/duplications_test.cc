// Requests about duplications, to an embedded cluster whose target does not answer.
#include "client/duplications.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/sim_clock.h"
#include "testing/test_cluster.h"
#include "wire/error_code.h"

namespace pegmove::client {
namespace {

using ::testing::HasSubstr;
using testing::SimClock;
using testing::TestClient;
using testing::TestCluster;
using wire::ErrorCode;

class DuplicationsTest : public ::testing::Test {
 protected:
  Result<AddedDuplication> add(DuplicationRequest request) {
    return client.run(add_duplication(client.cluster(), std::move(request), client.deadline()));
  }
  Duplication only_one() {
    auto found = client.must(table_duplications(client.cluster(), "t", client.deadline()));
    EXPECT_EQ(found.duplications.size(), 1);
    return found.duplications.empty() ? Duplication() : found.duplications[0];
  }
  Result<void> set(int32_t id, DuplicationStatus status) {
    return client.run(set_duplication_status(client.cluster(), "t", id, status, client.deadline()));
  }

  SimClock clock;
  TestCluster cluster{
      clock,
      {.duplication_group = {{"test", 1}, {"B", 2}}, .clusters = {{"B", {{"127.0.0.1", 1}}}}}};
  TestClient client{cluster.meta_address()};
};

TEST_F(DuplicationsTest, AreAddedShownChangedAndRemoved) {
  client.create_table("t", 4);
  const auto added = add({.table = "t", .remote = "B", .remote_table = "copy"});
  ASSERT_TRUE(added) << added.error().to_string();
  EXPECT_EQ(added->app_id, 1);
  EXPECT_FALSE(added->has_existed);
  EXPECT_EQ(added->remote_table, "copy");
  EXPECT_EQ(added->remote_replica_count, 1);

  const auto shown = only_one();
  EXPECT_EQ(shown.id, added->id);
  EXPECT_EQ(shown.status, DuplicationStatus::kLog);
  EXPECT_EQ(shown.remote, "B");
  EXPECT_EQ(shown.remote_table, "copy");
  EXPECT_EQ(shown.create_ms, clock.unix_us() / 1000);
  ASSERT_EQ(shown.partitions.size(), 4);
  EXPECT_EQ(shown.partitions.at(3).confirmed_decree, 0);

  const auto again = add({.table = "t", .remote = "B"});
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_TRUE(again->has_existed);
  EXPECT_EQ(again->id, added->id);

  ASSERT_TRUE(set(added->id, DuplicationStatus::kPause));
  client.must(set_duplication_fail_mode(client.cluster(), "t", added->id,
                                        DuplicationFailMode::kSkip, client.deadline()));
  EXPECT_EQ(only_one().status, DuplicationStatus::kPause);
  EXPECT_EQ(only_one().fail_mode, DuplicationFailMode::kSkip);
  ASSERT_TRUE(set(added->id, DuplicationStatus::kRemoved));
  EXPECT_TRUE(client.must(table_duplications(client.cluster(), "t", client.deadline()))
                  .duplications.empty());
}

TEST_F(DuplicationsTest, AreListedWithTheTablesThatHaveNone) {
  client.create_table("t", 4);
  client.create_table("u", 2);
  ASSERT_TRUE(add({.table = "u", .remote = "B"}));
  const auto tables =
      client.must(list_duplications(client.cluster(), "", PatternMatch::kAll, client.deadline()));
  ASSERT_EQ(tables.size(), 2);
  EXPECT_EQ(tables[0].table, "t");
  EXPECT_EQ(tables[0].partition_count, 4);
  EXPECT_TRUE(tables[0].duplications.empty());
  ASSERT_EQ(tables[1].duplications.size(), 1);
  EXPECT_EQ(tables[1].duplications[0].remote, "B");
  EXPECT_EQ(
      client.must(list_duplications(client.cluster(), "t", PatternMatch::kExact, client.deadline()))
          .size(),
      1);
}

TEST_F(DuplicationsTest, ErrorsHaveTheServersHint) {
  client.create_table("t", 4);
  const auto to_itself = add({.table = "t", .remote = "test"});
  ASSERT_FALSE(to_itself);
  EXPECT_EQ(to_itself.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(to_itself.error().message(),
              HasSubstr("[hint:\"illegal operation: adding duplication to itself\"]"));
  const auto no_table = add({.table = "nosuch", .remote = "B"});
  ASSERT_FALSE(no_table);
  EXPECT_EQ(no_table.error().code(), Code::kNotFound);
  const auto no_id = set(17, DuplicationStatus::kPause);
  ASSERT_FALSE(no_id);
  EXPECT_EQ(no_id.error().wire_code(), int(ErrorCode::kObjectNotFound));
  EXPECT_THAT(no_id.error().message(), HasSubstr("duplication 17 of table 't' of cluster 'test'"));
}

TEST(DuplicationNames, AreThoseOfPegasus) {
  EXPECT_EQ(duplication_status_name(DuplicationStatus::kPrepare), "DS_PREPARE");
  EXPECT_EQ(duplication_status_name(DuplicationStatus(77)), "DS_INIT");
  EXPECT_EQ(duplication_fail_mode_name(DuplicationFailMode::kFast), "FAIL_FAST");
}

}  // namespace
}  // namespace pegmove::client
