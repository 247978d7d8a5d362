// Backups of a cluster that acts as real ones do: its meta server does not have the remote commands
// of an embedded one, and may never end a backup. (What the program does with an embedded one is
// tested through the program.)
#include "migration/cold_backup/back_up.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <nlohmann/json.hpp>

#include "backup/finish.h"
#include "blockstore/local_store.h"
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

TEST_F(BackUpTest, TheStoreShowsWhatTheServersDoBeforeTheirFirstPartitionIsComplete) {
  auto table = make_table(2);
  holds_ = cancels_ = true;
  EXPECT_EQ(good(back_up()).state, RunState::kCancelled);
  EXPECT_THAT(lines_.front(),
              AllOf(HasSubstr("partitions 0/2"), HasSubstr("make their checkpoint")));
  go_on_.count_down();
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
  ASSERT_FALSE(lines_.empty());
  EXPECT_THAT(lines_.back(), HasSubstr("[block_service.disk]")) << "why no partitions are counted";
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

TEST(StoredBackup, CountsPartitionsThatUploadAndThatAreComplete) {
  journal::TestFolder folder;
  testing::SimClock clock;
  async::Pool pool{1};
  asio::io_context context;
  const blockstore::AsyncStore store(blockstore::make_local_store("disk", folder.path()), pool,
                                     clock);
  const backup::Place place{.root = "A", .backup_id = 1790000000000, .table = "t", .app_id = 1};
  StoredBackup stored(store, place, 3);
  const auto look = [&] { return good(async::run_to_end(context, stored.look())); };
  const auto put = [&](const std::string& path) {
    good(async::run_to_end(context, store.write_file(path, "x")));
  };
  EXPECT_EQ(look(), StoredParts());
  put(place.partition_folder(2) + "/chkpt_h_1/CURRENT");
  put(place.current_file(0));
  EXPECT_EQ(look(), (StoredParts{.complete = 1, .uploading = 1}));
  EXPECT_THAT(stored.incomplete(), ::testing::ElementsAre(1, 2));
}

// The meta server of a has lost the answer of a partition, as real ones sometimes do.
class UnendedBackUpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    runs_.by_word["real-like"] = clusters_.connect(real_.address());
    auto table = clusters_.create_table(clusters_.source, "t", 4);
    for (int i = 0; i < 50; ++i)
      clusters_.must(table->set("h" + std::to_string(i), "s", "v", 0, clusters_.deadline()));
    runs_.events.warn = [this](const std::string& text) { warned_ += text + "\n"; };
  }

  runs::Ending back_up() {
    id_ = runs_.begin("backup", to_json(request_));
    return good(runs_.resume(id_));
  }
  // Answers each question with `answer`.
  void is_asked(bool answer) {
    runs_.events.ask = [this, answer](std::string question) -> Task<bool> {
      asked_.push_back(std::move(question));
      return yes_or_no(answer);
    };
  }
  static Task<bool> yes_or_no(bool answer) { co_return answer; }

  backup::Place place() {
    const auto listed = clusters_.must(backup::list_backups(runs_.store(), "test"));
    return {.root = "test",
            .backup_id = listed.at(0).backup_id,
            .table = "t",
            .app_id = listed.at(0).tables.at(0).app_id};
  }
  std::string info_file() {
    return testing::read_file(clusters_.source_servers.store_dir() + "/" + place().info_file());
  }
  // As real meta servers write it.
  std::string real_info() {
    return fmt::format(
        R"({{"backup_id":{0},"start_time_ms":{0},"end_time_ms":0,"app_id":{1},"app_name":"t"}})",
        place().backup_id, place().app_id);
  }

  testing::TwoClusters clusters_{{.backups = true, .backups_never_end = true}};
  testing::RealLike real_{clusters_.source_servers.meta_address().port};
  TestRuns runs_{clusters_};
  BackupRequest request_{.from_metas = "real-like",
                         .table = "t",
                         .provider = "disk",
                         .end_within = async::milliseconds(10)};
  std::string id_, warned_;
  std::vector<std::string> asked_;
};

TEST_F(UnendedBackUpTest, ItIsFinishedHereWhenThatIsAllowedAndTheBackupRestores) {
  request_.finish = true;
  const auto ending = back_up();
  ASSERT_EQ(ending.state, RunState::kDone) << ending.reason;
  EXPECT_EQ(info_file(), real_info());
  EXPECT_THAT(warned_, AllOf(HasSubstr("all 4 partitions of backup"), HasSubstr("has not ended")));
  const auto report = nlohmann::json::parse(ending.report->json);
  EXPECT_EQ(report["ended_by_cluster"], false);
  EXPECT_EQ(report["app_envs_kept"], true);
  EXPECT_THAT(ending.report->text,
              HasSubstr("refuses further backups of table t until it is restarted"));
  const auto place = this->place();
  clusters_.must(client::start_restore(*clusters_.source,
                                       {.cluster = "test",
                                        .backup_id = place.backup_id,
                                        .table = "t",
                                        .app_id = place.app_id,
                                        .new_table = "again",
                                        .provider = "disk"},
                                       clusters_.deadline()));
  clusters_.must(clusters_.source->wait_until_ready("again", {}, clusters_.deadline()));
  auto again = clusters_.open_table(clusters_.source, "again");
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(clusters_.must(again->get("h" + std::to_string(i), "s", clusters_.deadline())).value,
              "v");
}

TEST_F(UnendedBackUpTest, AnotherBackupIsRefusedUntilTheMetaServerIsRestarted) {
  request_.finish = true;
  ASSERT_EQ(back_up().state, RunState::kDone);
  const auto refused = back_up();
  EXPECT_EQ(refused.state, RunState::kFailed);
  EXPECT_THAT(refused.reason,
              AllOf(HasSubstr("is actively being backed up"), HasSubstr("until it is restarted")));
}

TEST_F(UnendedBackUpTest, ItAsksWhenThereIsSomebodyToAsk) {
  is_asked(true);
  EXPECT_EQ(back_up().state, RunState::kDone);
  EXPECT_EQ(info_file(), real_info());
  ASSERT_EQ(asked_.size(), 1u);
  EXPECT_THAT(asked_[0],
              AllOf(HasSubstr("has not ended the backup within 10 ms"),
                    HasSubstr("write backup_info, so that the backup can be restored?")));
}

TEST_F(UnendedBackUpTest, WithoutPermissionItNamesTheCommandAndAResumeFindsTheResult) {
  is_asked(false);
  const auto ending = back_up();
  EXPECT_EQ(ending.state, RunState::kFailed);
  const auto place = this->place();
  EXPECT_THAT(ending.reason,
              HasSubstr(fmt::format("`pegmove backups verify --store disk --backup {} --finish`",
                                    place.backup_id)));
  EXPECT_EQ(info_file(), "");
  clusters_.must(backup::finish_backup(runs_.store(), place, {}));
  EXPECT_EQ(info_file(), real_info());
  const auto resumed = good(runs_.resume(id_));
  EXPECT_EQ(resumed.state, RunState::kDone) << resumed.reason;
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(UnendedBackUpTest, OneThatTheMetaServerHasForgottenIsFinishedWhenItsFilesAreThere) {
  is_asked(false);
  EXPECT_EQ(back_up().state, RunState::kFailed);
  clusters_.source_servers.restart();
  is_asked(true);
  const auto resumed = good(runs_.resume(id_));
  EXPECT_EQ(resumed.state, RunState::kDone) << resumed.reason;
  EXPECT_THAT(asked_.back(), HasSubstr("no longer knows the backup"));
  EXPECT_EQ(info_file(), real_info());
  EXPECT_THAT(resumed.report->text, HasSubstr("has forgotten the backup"));
  EXPECT_EQ(back_up().state, RunState::kDone) << "the meta server accepts another one";
}

TEST_F(UnendedBackUpTest, DamagedFilesAreNamedAndNothingIsWritten) {
  is_asked(false);
  EXPECT_EQ(back_up().state, RunState::kFailed);
  const auto checkpoint =
      clusters_.must(backup::read_checkpoint(runs_.store(), place(), 2)).folder + "/CURRENT";
  testing::write_file(clusters_.source_servers.store_dir() + "/" + checkpoint, "MANIFEST-77777\n");
  is_asked(true);
  const auto ending = good(runs_.resume(id_));
  EXPECT_EQ(ending.state, RunState::kFailed);
  EXPECT_THAT(ending.reason, AllOf(HasSubstr("is damaged"), HasSubstr(checkpoint)));
  EXPECT_EQ(info_file(), "");
}

TEST(BackupRequestJson, ComesBackAndEarlierJournalsAreRead) {
  const BackupRequest request{.from_metas = "a:1",
                              .table = "t",
                              .provider = "disk",
                              .path = "p",
                              .end_within = async::milliseconds(7),
                              .finish = true};
  EXPECT_EQ(to_json(good(backup_request_from_json(to_json(request)))), to_json(request));
  const auto earlier = good(backup_request_from_json(
      R"({"from_metas":"a:1","table":"t","provider":"disk","path":"","timeout_ms":30000})"));
  EXPECT_FALSE(earlier.finish);
  EXPECT_EQ(earlier.end_within, async::milliseconds(60'000));
}

}  // namespace
}  // namespace pegmove::migration
