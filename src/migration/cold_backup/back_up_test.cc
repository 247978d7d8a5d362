// Backups of a cluster whose meta server has not the remote commands of an embedded one: what real
// ones are. (What the program does with an embedded one is tested through the program.)
#include "migration/cold_backup/back_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <nlohmann/json.hpp>

#include "blockstore/store_set.h"
#include "journal/journals_test.h"
#include "testing/real_like.h"
#include "testing/two_clusters.h"

namespace pegmove::migration {
namespace {

using journal::bad;
using journal::good;
using ::testing::AllOf;
using ::testing::HasSubstr;

class BackUpTest : public ::testing::Test {
 protected:
  std::shared_ptr<client::Table> make_table(int partitions) {
    auto table = clusters_.create_table(clusters_.source, "t", partitions);
    for (int i = 0; i < 50; ++i)
      clusters_.must(table->set("h" + std::to_string(i), "s", "v", 0, clusters_.deadline()));
    return table;
  }

  // As the verb does, with a journal of its own. `result` is what an earlier process had noted.
  Result<BackupReport> back_up(bool with_store = true, std::string result = "") {
    auto journal = good(journal::Journal::open(folder_ / "journal.db", clock_));
    const auto id = good(journal.begin({.method = std::string(kBackupMethod),
                                        .from = "A",
                                        .to = "disk",
                                        .table = "t",
                                        .to_table = "t",
                                        .options = to_json(request_)}))
                        .id;
    // outlives: this call, which waits for it.
    return clusters_.run([&]() -> Task<BackupReport> {
      auto keeper = CO_TRY(co_await RunKeeper::take(co_await asio::this_coro::executor, clock_,
                                                    folder_ / "journal.db", id, clusters_.stop));
      if (!result.empty()) CO_TRY(co_await keeper->set_result(result));
      std::optional<blockstore::AsyncStore> store;
      if (with_store) store.emplace(CO_TRY(stores_.get("disk")), pool_, clock_);
      auto report =
          co_await run_backup(*keeper, real_like_, request_, std::move(store), clusters_.stop,
                              [&](const auto& progress) {
                                lines_.push_back(progress);
                                if (cancel_at_first_look_) {
                                  good(journal::Journal::open(folder_ / "journal.db", clock_))
                                      .request(id, journal::Request::kCancel);
                                }
                              });
      CO_TRY(co_await keeper->end(report ? Result<void>() : Result<void>(fail(report.error()))));
      co_return report;
    }());
  }

  // Nodes wait here when a checkpoint is made, until the test lets them go on.
  std::latch go_on_{1};
  std::atomic<bool> holds_ = false;
  testing::TwoClusters clusters_{{.backups = true, .on_backup_step = [this](std::string_view step) {
                                    if (holds_ && step == "backup.checkpoint_made") go_on_.wait();
                                  }}};
  testing::RealLike real_{clusters_.source_servers.meta_address().port};
  std::shared_ptr<client::Cluster> real_like_ = clusters_.connect(real_.address());
  testing::QuickClock clock_{clusters_.source_time};
  blockstore::StoreSet stores_{clusters_.source_servers.providers(), clock_};
  async::Pool pool_{1};
  journal::TestFolder folder_;
  BackupRequest request_{.from_metas = "unused", .table = "t", .provider = "disk"};
  std::vector<BackupProgress> lines_;
  bool cancel_at_first_look_ = false;
};

TEST_F(BackUpTest, PartitionsAreCountedInTheStoreWhereTheClusterTellsNoBytes) {
  auto table = make_table(4);
  const auto report = good(back_up());
  EXPECT_EQ(report.partitions, 4);
  EXPECT_GT(report.bytes, 0) << "summed from the backup's own metadata";
  EXPECT_TRUE(report.has_envs);
  ASSERT_FALSE(lines_.empty());
  EXPECT_EQ(lines_.back().partitions_done, 4);
  EXPECT_FALSE(lines_.back().done_bytes);
  EXPECT_THAT(to_line(lines_.back()), HasSubstr("partitions 4/4"));
}

TEST_F(BackUpTest, WithoutItsStoreItIsWatchedAllTheSame) {
  auto table = make_table(2);
  const auto report = good(back_up(/*with_store=*/false));
  EXPECT_EQ(report.partitions, 2);
  EXPECT_EQ(report.bytes, -1);
  EXPECT_FALSE(report.has_envs);
  EXPECT_THAT(report.note, HasSubstr("[block_service.disk]"));
}

TEST_F(BackUpTest, ACancelSaysThatSuchAClusterCannotEndIt) {
  auto table = make_table(2);
  holds_ = cancel_at_first_look_ = true;
  const auto error = bad(back_up());
  go_on_.count_down();
  EXPECT_EQ(error.code(), Code::kInterrupted);
  EXPECT_THAT(error.message(), AllOf(HasSubstr("this version of Pegasus cannot end a backup"),
                                     HasSubstr("pegmove backups rm")));
}

TEST_F(BackUpTest, OneThatTheMetaServerHasForgottenIsNamed) {
  auto table = make_table(2);
  const auto app_id =
      clusters_.must(clusters_.source->table_info("t", clusters_.deadline())).app_id;
  const auto error = bad(back_up(
      true,
      nlohmann::json{{"backup_id", 1234567890123}, {"app_id", app_id}, {"root", "test"}}.dump()));
  EXPECT_EQ(error.code(), Code::kNotFound);
  EXPECT_THAT(error.message(), AllOf(HasSubstr("forget backups"), HasSubstr("test/1234567890123"),
                                     HasSubstr("pegmove backups rm")));
}

}  // namespace
}  // namespace pegmove::migration
