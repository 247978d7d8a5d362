#include "migration/back_up_and_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/runs_test.h"
#include "testing/random_table.h"

namespace pegmove::migration {
namespace {

using journal::good;
using journal::RunState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Model;

// From a table of a cluster to another one of the same.
class BackUpAndLoadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto table = clusters.create_table(clusters.source, "t", 4);
    for (int i = 0; i < 200; ++i)
      model[{"h" + std::to_string(i), "s"}] = {"v" + std::to_string(i), 0};
    clusters.must(write_model(table, model, clusters.deadline()));
  }
  BackUpAndLoadRequest request() {
    return {.copy = {.from_metas = clusters.source->meta_list(),
                     .to_metas = clusters.source->meta_list(),
                     .options = {.table = "t", .to_table = "u", .create = true, .partitions = 6}},
            .store = "disk",
            .path = "moves",
            .cluster = "B",
            .split_path = "moves/split",
            .limits = {.units_at_once = 1, .work_folder = folder / ""}};
  }

  testing::TwoClusters clusters{{.backups = true}};
  TestRuns runs{clusters};
  journal::TestFolder folder;
  Model model;
};

TEST_F(BackUpAndLoadTest, MovesATableByItsFilesAndProvesIt) {
  const auto id = runs.begin("backupcopy", to_json(request()));
  const auto ending = good(runs.resume(id));
  ASSERT_EQ(ending.state, RunState::kDone)
      << ending.reason << (ending.refused ? ending.refused->to_string() : "");
  EXPECT_FALSE(ending.report->tables_differ);
  for (const char* part :
       {"Backed up table t", "Split into 6 partitions", "Loaded table u", "Equal: all 200 rows"})
    EXPECT_THAT(ending.report->text, HasSubstr(part));
  EXPECT_EQ(clusters.must(differs_from(clusters.open_table(clusters.source, "u"), model, 0,
                                       clusters.deadline())),
            "");
}

TEST_F(BackUpAndLoadTest, ItsStepsAreTheProcedure) {
  BackUpAndLoad work(request(), runs.ports);
  std::vector<std::string> names;
  for (const auto& step : back_up_and_load(work)) names.push_back(step.name);
  EXPECT_THAT(names, ElementsAre("make-target", "start-backup", "wait-for-backup", "keep-envs",
                                 "choose-split", "plan-split", "split-rows", "finish-split",
                                 "check-files", "prepare-table", "start-load", "wait-for-load",
                                 "finish-load", "finish-target", "compare"));
}

TEST_F(BackUpAndLoadTest, OptionsComeBackFromTheJournal) {
  const auto text = to_json(request());
  EXPECT_EQ(to_json(good(back_up_and_load_request_from_json(text))), text);
  EXPECT_EQ(journal::bad(back_up_and_load_request_from_json("{}")).code(), Code::kCorrupt);
}

}  // namespace
}  // namespace pegmove::migration
