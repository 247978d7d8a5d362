// Backups, policies and restores against an embedded cluster whose time does not move until the
// test moves it.
#include "client/backups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::client {
namespace {

using async::milliseconds;
using ::testing::ElementsAre;

constexpr milliseconds kMinute{60'000};
constexpr milliseconds kDay{86'400'000};

class BackupsTest : public ::testing::Test {
 protected:
  int32_t make_table(const std::string& name) {
    auto table = client_.create_table(name, 4);
    for (int i = 0; i < 20; ++i)
      client_.must(table->set("h" + std::to_string(i), "s", name + "'s", 0, client_.deadline()));
    return client_.must(client_.cluster().table_info(name, client_.deadline())).app_id;
  }
  // Asks until it is so; the cluster's time passes by `each` meanwhile.
  template <typename Look>
  auto wait_for(Look look, milliseconds each = milliseconds(0)) {
    for (const auto end = client_.deadline();; time_.advance(each)) {
      if (auto seen = look()) return *seen;
      if (end.passed(client_.clock())) throw std::runtime_error("it does not come to its end");
    }
  }
  BackupItem wait_for_backup(int32_t app_id, int64_t backup_id) {
    return wait_for([&]() -> std::optional<BackupItem> {
      const auto item =
          client_.must(backup_status(client_.cluster(), app_id, backup_id, client_.deadline()))
              .items.at(0);
      return item.is_failed || item.end_time_ms != 0 ? std::optional(item) : std::nullopt;
    });
  }
  BackupPolicyState policy() {
    return client_.must(backup_policies(client_.cluster(), {"night"}, 10, client_.deadline()))
        .at(0);
  }
  // The policy's newest round, once there is one after `previous` and it has ended.
  BackupRound wait_for_round(int64_t previous) {
    return wait_for(
        [&]() -> std::optional<BackupRound> {
          const auto rounds = policy().rounds;
          return !rounds.empty() && rounds[0].backup_id > previous && rounds[0].end_time_ms != 0
                     ? std::optional(rounds[0])
                     : std::nullopt;
        },
        kMinute);
  }
  bool is_in_store(const BackupRound& round) {
    return std::filesystem::exists(servers_.store_dir() + "/test/" +
                                   std::to_string(round.backup_id) + "/backup_info");
  }

  testing::SimClock time_;
  testing::TestCluster servers_{time_, {.replica_servers = 2, .backups = true}};
  testing::TestClient client_{servers_.meta_address()};
};

TEST_F(BackupsTest, ABackupAndItsRestoreAreDoneWithoutAnyTimePassing) {
  const auto app_id = make_table("t");
  const auto begun = time_.unix_us();
  const auto started =
      client_.must(start_backup(client_.cluster(), app_id, "disk", "", client_.deadline()));
  const auto ended = wait_for_backup(app_id, started.backup_id);
  EXPECT_FALSE(ended.is_failed);
  const auto new_id = client_.must(start_restore(client_.cluster(),
                                                 {.cluster = "test",
                                                  .backup_id = started.backup_id,
                                                  .table = "t",
                                                  .app_id = app_id,
                                                  .new_table = "back",
                                                  .provider = "disk"},
                                                 client_.deadline()));
  wait_for([&]() -> std::optional<bool> {
    const auto partitions =
        client_.must(restore_status(client_.cluster(), new_id, client_.deadline()));
    const bool is_done = std::ranges::all_of(
        partitions, [](const auto& each) { return each.state == RestoreState::kDone; });
    return is_done ? std::optional(true) : std::nullopt;
  });
  auto table = client_.open_table("back");
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(client_.must(table->get("h" + std::to_string(i), "s", client_.deadline())).value,
              "t's");
  EXPECT_EQ(time_.unix_us(), begun);
}

TEST_F(BackupsTest, APolicyKeepsTheNewestRoundsAndLeavesDroppedTablesOut) {
  const auto first = make_table("first"), second = make_table("second");
  client_.must(add_backup_policy(client_.cluster(),
                                 {.name = "night",
                                  .provider = "disk",
                                  .app_ids = {first, second},
                                  .history_count = 2,
                                  .start_time = "24:00"},
                                 client_.deadline()));
  const auto day1 = wait_for_round(0);
  EXPECT_THAT(day1.app_ids, ElementsAre(first, second));
  EXPECT_TRUE(is_in_store(day1));

  client_.must(client_.cluster().drop_table("second", {}, client_.deadline()));
  time_.advance(kDay);
  const auto day2 = wait_for_round(day1.backup_id);
  EXPECT_THAT(day2.app_ids, ElementsAre(first));
  EXPECT_GE(day2.start_time_ms, day1.start_time_ms + kDay.count());
  EXPECT_TRUE(is_in_store(day1));

  time_.advance(kDay);
  const auto day3 = wait_for_round(day2.backup_id);
  wait_for([&] { return policy().rounds.size() == 2 ? std::optional(true) : std::nullopt; });
  EXPECT_EQ(policy().rounds[1].backup_id, day2.backup_id);
  EXPECT_FALSE(is_in_store(day1)) << "three rounds, of which two are kept";
  EXPECT_TRUE(is_in_store(day2));
  EXPECT_TRUE(is_in_store(day3));
}

TEST_F(BackupsTest, ARoundThatIsUnderWayGoesOnAfterARestart) {
  const auto app_id = make_table("t");
  client_.must(add_backup_policy(
      client_.cluster(),
      {.name = "night", .provider = "disk", .app_ids = {app_id}, .start_time = "24:00"},
      client_.deadline()));
  servers_.restart();
  const auto round = wait_for_round(0);
  EXPECT_THAT(round.app_ids, ElementsAre(app_id));
  EXPECT_TRUE(is_in_store(round));
}

}  // namespace
}  // namespace pegmove::client
