// Backups of a cluster whose meta server has not the remote commands of an embedded one: what real
// ones are. (What the program does with an embedded one is tested through the program.)
#include "migration/cold_backup/back_up.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <nlohmann/json.hpp>

#include "migration/runs_test.h"
#include "testing/real_like.h"

namespace pegmove::migration {
namespace {

using journal::good;
using journal::RunState;
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

  // As the verb does. `product`: what an earlier process had noted of the step that starts it.
  Result<runs::Ending> back_up(std::string product = "") {
    id_ = runs_.begin("backup", to_json(request_));
    if (!product.empty())
      good(runs_.open_journal().save_step(id_, {.name = "start-backup",
                                                .state = journal::StepState::kDone,
                                                .product = std::move(product)}));
    runs_.events.show = [this](const std::string& line) {
      lines_.push_back(line);
      if (cancels_) good(runs_.open_journal().request(id_, journal::Request::kCancel));
    };
    return runs_.resume(id_);
  }

  // Nodes wait here after a checkpoint is made, until the test lets them continue.
  std::latch go_on_{1};
  std::atomic<bool> holds_ = false;
  testing::TwoClusters clusters_{{.backups = true, .on_failpoint = [this](std::string_view step) {
                                    if (holds_ && step == "backup.checkpoint_made") go_on_.wait();
                                  }}};
  testing::RealLike real_{clusters_.source_servers.meta_address().port};
  std::shared_ptr<client::Cluster> real_like_ = clusters_.connect(real_.address());
  TestRuns runs_{clusters_};
  BackupRequest request_{.from_metas = "real-like", .table = "t", .provider = "disk"};
  std::string id_;
  std::vector<std::string> lines_;
  bool cancels_ = false;

  void SetUp() override { runs_.by_word["real-like"] = real_like_; }
};

TEST_F(BackUpTest, PartitionsAreCountedInTheStoreWhereTheClusterTellsNoBytes) {
  auto table = make_table(4);
  const auto ending = good(back_up());
  ASSERT_EQ(ending.state, RunState::kDone) << ending.reason;
  const auto report = nlohmann::json::parse(ending.report->json);
  EXPECT_EQ(report["partitions"], 4);
  EXPECT_GT(report["bytes"], 0) << "summed from the backup's own metadata";
  EXPECT_EQ(report["app_envs_kept"], true);
  ASSERT_FALSE(lines_.empty());
  EXPECT_THAT(lines_.back(), HasSubstr("partitions 4/4"));
}

TEST_F(BackUpTest, WithoutItsStoreItIsWatchedAllTheSame) {
  auto table = make_table(2);
  runs_.has_store = false;
  const auto ending = good(back_up());
  ASSERT_EQ(ending.state, RunState::kDone) << ending.reason;
  const auto report = nlohmann::json::parse(ending.report->json);
  EXPECT_FALSE(report.contains("bytes"));
  EXPECT_EQ(report["app_envs_kept"], false);
  EXPECT_THAT(ending.report->text, HasSubstr("[block_service.disk]"));
}

// A cancel says what it did, in the process of the run and in another one.
TEST_F(BackUpTest, ACancelSaysThatSuchAClusterCannotEndIt) {
  auto table = make_table(2);
  holds_ = cancels_ = true;
  const auto ending = good(back_up());
  EXPECT_EQ(ending.state, RunState::kCancelled);
  const auto undone = runs::undone_of(runs_.seen(id_));
  ASSERT_EQ(undone.size(), 1u);
  EXPECT_EQ(undone[0].end, runs::UndoEnd::kCannot);
  EXPECT_THAT(undone[0].says, AllOf(HasSubstr("this version of Pegasus cannot end a backup"),
                                    HasSubstr("pegmove backups rm")));
  go_on_.count_down();
}

TEST_F(BackUpTest, ABackupThatNobodyWatchesIsCancelledOnTheClusterToo) {
  auto table = make_table(2);
  request_.from_metas = "a";
  holds_ = true;
  runs_.events.show = {};
  id_ = runs_.begin("backup", to_json(request_));
  runs_.events.show = [this](const std::string&) { runs_.stop.request(); };
  ASSERT_EQ(good(runs_.resume(id_)).state, RunState::kInterrupted);
  runs_.by_word["a"] = nullptr;
  EXPECT_EQ(good(runs_.cancel(id_)).state, RunState::kCancelling)
      << "no request was sent to the cluster";
  EXPECT_THAT(runs_.seen(id_).reason, HasSubstr("cluster a is away"));
  runs_.by_word["a"] = clusters_.source;
  EXPECT_EQ(good(runs_.cancel(id_)).state, RunState::kCancelled);
  const auto undone = runs::undone_of(runs_.seen(id_));
  ASSERT_EQ(undone.size(), 1u);
  EXPECT_EQ(undone[0].end, runs::UndoEnd::kUndone);
  EXPECT_THAT(undone[0].says, HasSubstr("was ended on the cluster"));
  go_on_.count_down();
}

TEST_F(BackUpTest, OneThatTheMetaServerHasForgottenIsNamedAndAResumeMakesAnother) {
  auto table = make_table(2);
  const auto app_id =
      clusters_.must(clusters_.source->table_info("t", clusters_.deadline())).app_id;
  const auto ending = good(back_up(
      nlohmann::json{{"backup_id", 1234567890123}, {"app_id", app_id}, {"root", "test"}}.dump()));
  EXPECT_EQ(ending.state, RunState::kFailed);
  EXPECT_THAT(ending.reason, AllOf(HasSubstr("lose their backups"), HasSubstr("test/1234567890123"),
                                   HasSubstr("pegmove backups rm")));
  EXPECT_EQ(good(runs_.resume(id_)).state, RunState::kDone);
}

}  // namespace
}  // namespace pegmove::migration
