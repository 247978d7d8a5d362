// Copies as runs: those that end early are resumed by another process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "migration/copy/copy_table.h"
#include "migration/runs_test.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "testing/random_table.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using journal::bad;
using journal::good;
using journal::RunState;
using journal::UnitPosition;
using ::testing::HasSubstr;
using testing::Model;

// Lets one batch be written: the next must wait for its rows' worth of seconds.
const rows::ThrottleOptions kOneBatch{.max_rows_per_second = 1, .adaptive = false};

class CopyTableTest : public ::testing::Test {
 protected:
  struct Ended {
    runs::Ending end;
    nlohmann::json report{};  // of a run that is done
  };

  uint32_t now() const { return record::pegasus_seconds(clusters.source_time.unix_seconds()); }

  void make_source(int partitions, int rows = 400) {
    for (int i = 0; i < rows; ++i)
      model[{"h" + std::to_string(10'000 + i), "s"}] = {"v" + std::to_string(i), 0};
    write(clusters.create_table(source, "t", partitions), model);
  }
  void write(const std::shared_ptr<client::Table>& table, const Model& rows) {
    clusters.must(write_model(table, rows, clusters.deadline()));
  }
  void make_again(const std::shared_ptr<client::Cluster>& cluster, int partitions) {
    clusters.must(cluster->drop_table("t", 0, clusters.deadline()));
    clusters.create_table(cluster, "t", partitions);
  }

  std::string plan(CopyOptions options) {
    options.table = options.to_table = "t";
    CopyRequest request{.from_metas = source->meta_list(),
                        .to_metas = target->meta_list(),
                        .options = std::move(options)};
    return runs.begin("copy", to_json(request));
  }

  // A process that works on the run, from its begin to its end. `at_rows`: called when some are
  // copied.
  Ended work(rows::ThrottleOptions throttle = {}, std::function<void()> at_rows = {}) {
    runs.events.show = [&](const std::string& line) {
      if (at_rows && line.starts_with("copying: ") && !line.starts_with("copying: 0 ")) at_rows();
    };
    auto ending = good(runs.hold<runs::Ending>(
        id, [&](runs::RunSession& session) { return carry_out(session, throttle); }));
    Ended ended{.end = std::move(ending)};
    if (ended.end.state == RunState::kDone)
      ended.report = nlohmann::json::parse(ended.end.report->json);
    return ended;
  }
  Task<runs::Ending> carry_out(runs::RunSession& session, rows::ThrottleOptions throttle) {
    auto request = CO_TRY(copy_request_from_json(session.run().options));
    request.options.pump.lanes_at_once = lanes_at_once;
    request.throttle = throttle;
    CopyTable copy(std::move(request), runs.ports);
    co_return co_await runs::carry_out(session, copy, runs.events, false);
  }
  // One that is stopped when some rows are copied.
  Ended work_a_little() {
    return work(kOneBatch, [this] { runs.stop.request(); });
  }
  // What an earlier process noted of the target.
  void note_target(journal::StepState state, std::string product = "") {
    good(runs.open_journal().save_step(
        id, {.name = "make-target", .state = state, .product = std::move(product)}));
  }
  std::string refusal(const Ended& ended) {
    return ended.end.refused ? ended.end.refused->to_string() : ended.end.reason;
  }

  journal::Run seen() { return runs.seen(id); }
  std::string differences(const Model& rows) {
    return clusters.must(
        differs_from(clusters.open_table(target, "t"), rows, now(), clusters.deadline()));
  }

  testing::TwoClusters clusters;
  std::shared_ptr<client::Cluster> source = clusters.source, target = clusters.target;
  TestRuns runs{clusters};
  std::string id;
  Model model;
  int lanes_at_once = 16;
};

TEST_F(CopyTableTest, AStoppedRunIsResumedAndReadsOnlyTheRest) {
  make_source(4);
  id = plan({.create = true, .partitions = 6});
  auto first = work_a_little();
  ASSERT_EQ(first.end.state, RunState::kInterrupted) << refusal(first);
  const auto copied = seen().rows;
  ASSERT_GT(copied, 0);
  ASSERT_LT(copied, int64_t(model.size()));

  auto second = work();
  ASSERT_EQ(second.end.state, RunState::kDone) << refusal(second);
  EXPECT_EQ(second.report["rows"], int64_t(model.size()));
  EXPECT_EQ(second.report["rows_read"], int64_t(model.size()) - copied);
  EXPECT_EQ(seen().rows, int64_t(model.size()));
  EXPECT_EQ(differences(model), "");
}

TEST_F(CopyTableTest, ForeignRowsAreCountedOnceOverManyProcesses) {
  make_source(4);
  Model stale = model;
  for (auto& [key, row] : stale) row = {"stale", 0};
  const auto table = clusters.open_table(source, "t");
  clusters.must(testing::write_foreign(table, stale, clusters.deadline()));
  clusters.must(testing::write_foreign(table, {{{"only", "here"}, {"v", 0}}}, clusters.deadline()));
  id = plan({.create = true, .partitions = 3});
  lanes_at_once = 2;
  for (int process = 0; process < 3; ++process)
    ASSERT_EQ(work_a_little().end.state, RunState::kInterrupted);
  const auto last = work();
  ASSERT_EQ(last.end.state, RunState::kDone) << refusal(last);
  EXPECT_EQ(last.report["rows"], int64_t(model.size()));
  EXPECT_EQ(last.report["foreign_rows"], int64_t(model.size() + 1));
  EXPECT_EQ(last.report["stray_rows"], 1);
  EXPECT_EQ(last.report["stray_keys"][0]["hash_key"], "only");
  EXPECT_THAT(last.end.report->text, HasSubstr("Left out: 401 foreign rows of table t"));
  EXPECT_EQ(differences(model), "");
}

TEST_F(CopyTableTest, ManyProcessesCopyEachRowOnce) {
  make_source(3);
  id = plan({.create = true});
  lanes_at_once = 2;
  int64_t before = 0;
  for (int process = 0; process < 6; ++process) {
    ASSERT_EQ(work_a_little().end.state, RunState::kInterrupted);
    EXPECT_GE(seen().rows, before);
    before = seen().rows;
  }
  auto last = work();
  ASSERT_EQ(last.end.state, RunState::kDone) << refusal(last);
  EXPECT_EQ(last.report["rows"], int64_t(model.size()));
  EXPECT_EQ(last.report["rows_read"], int64_t(model.size()) - before);
  EXPECT_EQ(differences(model), "");
}

TEST_F(CopyTableTest, APauseEndsTheProcessAndTheRunIsResumed) {
  make_source(4);
  id = plan({.create = true});
  auto first = work(kOneBatch, [&, asked = false]() mutable {
    if (!std::exchange(asked, true))
      good(runs.open_journal().request(id, journal::Request::kPause));
  });
  EXPECT_EQ(first.end.state, RunState::kPaused);
  auto second = work();
  ASSERT_EQ(second.end.state, RunState::kDone) << refusal(second);
  EXPECT_EQ(second.report["rows"], int64_t(model.size()));
  EXPECT_EQ(differences(model), "");
}

TEST_F(CopyTableTest, ASettingActsOnTheProcessThatRuns) {
  make_source(4);
  id = plan({.create = true});
  auto ended = work(kOneBatch, [&, set = false]() mutable {
    if (!std::exchange(set, true)) good(runs.open_journal().set(id, "max-rows-per-second", "0"));
  });
  ASSERT_EQ(ended.end.state, RunState::kDone) << refusal(ended);
}

TEST_F(CopyTableTest, ASourceTableThatIsAnotherOneIsRefused) {
  make_source(4);
  id = plan({.create = true});
  ASSERT_EQ(work_a_little().end.state, RunState::kInterrupted);
  make_again(source, 4);
  auto second = work();
  EXPECT_EQ(second.end.state, RunState::kFailed);
  EXPECT_THAT(second.end.reason, HasSubstr("source table 't' is another table"));
  EXPECT_EQ(seen().state, RunState::kFailed);
}

TEST_F(CopyTableTest, ATargetTableThatIsAnotherOneIsRefused) {
  make_source(4);
  id = plan({.create = true});
  ASSERT_EQ(work_a_little().end.state, RunState::kInterrupted);
  make_again(target, 4);
  auto second = work();
  EXPECT_EQ(second.end.state, RunState::kFailed);
  EXPECT_THAT(second.end.reason, HasSubstr("target table 't' is another table"));
  EXPECT_EQ(differences({}), "") << "nothing is written to it";
}

TEST_F(CopyTableTest, ATargetThatWasMadeBeforeTheProcessWasKilledIsTaken) {
  make_source(4);
  id = plan({.create = true, .partitions = 6});
  note_target(journal::StepState::kBegun);
  clusters.create_table(target, "t", 6);
  auto ended = work();
  ASSERT_EQ(ended.end.state, RunState::kDone) << refusal(ended);
  EXPECT_EQ(differences(model), "");
}

TEST_F(CopyTableTest, ATargetOfSomebodyElseIsNotTakenByARunThatHasNotBegun) {
  make_source(4);
  id = plan({.create = true});
  clusters.create_table(target, "t", 4);
  auto ended = work();
  ASSERT_TRUE(ended.end.refused);
  EXPECT_THAT(ended.end.refused->message(), HasSubstr("exists"));
  EXPECT_EQ(differences({}), "");
}

TEST_F(CopyTableTest, AResultOfAnotherKindIsCorrupt) {
  make_source(4);
  for (
      const char* result :
      {"[]", "1", R"({"source_app_id":1,"source_partitions":4,"target_app_id":1})",
       R"({"source_app_id":1,"source_partitions":4,"target_app_id":1,"envs_after_copy":{"a":1}})",
       R"({"source_app_id":"1","source_partitions":4,"target_app_id":1,"envs_after_copy":{}})",
       R"({"source_app_id":1,"source_partitions":0,"target_app_id":1,"envs_after_copy":{}})",
       R"({"source_app_id":4294967297,"source_partitions":4,"target_app_id":1,"envs_after_copy":{}})"}) {
    id = plan({.create = true});
    note_target(journal::StepState::kDone, result);
    const auto error = bad(runs.resume(id));
    EXPECT_EQ(error.code(), Code::kCorrupt) << error.to_string();
    EXPECT_THAT(error.to_string(), HasSubstr(id));
  }
}

int32_t partition_of(const testing::ModelKey& key, int32_t partitions) {
  return record::partition_index(record::raw_key_hash({key.hash_key, key.sort_key}), partitions);
}

TEST_F(CopyTableTest, ChosenPartitionsAreResumedAsThoseThatTheyAre) {
  make_source(4);
  id = plan({.create = true, .rules = {.partitions = {3, 1}}});
  lanes_at_once = 1;
  ASSERT_EQ(work_a_little().end.state, RunState::kInterrupted);
  auto positions = good(runs.open_journal().positions(id, "copy-rows"));
  ASSERT_EQ(positions.size(), 1u);
  EXPECT_EQ(positions[0].unit, 3);
  const auto copied = seen().rows;
  ASSERT_GT(copied, 0);

  std::erase_if(model, [](const auto& row) { return partition_of(row.first, 4) % 2 == 0; });
  auto second = work();
  ASSERT_EQ(second.end.state, RunState::kDone) << refusal(second);
  EXPECT_EQ(second.report["rows"], int64_t(model.size()));
  EXPECT_EQ(second.report["rows_read"], int64_t(model.size()) - copied);
  EXPECT_EQ(second.report["partition_rows"].size(), 2u);
  EXPECT_EQ(differences(model), "");
}

// A position does not show whether it is from before a split.
TEST_F(CopyTableTest, ASourceOfAnotherPartitionCountIsRefused) {
  make_source(4);
  auto table = clusters.create_table(target, "t", 3);
  id = plan({.create = true});
  note_target(journal::StepState::kDone,
              R"({"source_app_id":)" + std::to_string(clusters.open_table(source, "t")->app_id()) +
                  R"(,"source_partitions":2,"target_app_id":)" + std::to_string(table->app_id()) +
                  R"(,"target_partitions":3,"envs_after_copy":{}})");
  auto ended = work();
  EXPECT_EQ(ended.end.state, RunState::kFailed);
  EXPECT_THAT(ended.end.reason, HasSubstr("has 4 partitions instead of 2"));
}

TEST_F(CopyTableTest, WhatTheFirstProcessWantedForTheMadeTargetIsKept) {
  make_source(2);
  auto table = clusters.create_table(target, "t", 3);
  id = plan({.create = true});
  note_target(journal::StepState::kDone,
              R"({"source_app_id":)" + std::to_string(clusters.open_table(source, "t")->app_id()) +
                  R"(,"source_partitions":2,"target_app_id":)" + std::to_string(table->app_id()) +
                  R"(,"target_partitions":3,"envs_after_copy":{"default_ttl":"1000"}})");
  auto ended = work();
  ASSERT_EQ(ended.end.state, RunState::kDone) << refusal(ended);
  EXPECT_EQ(differences(model), "");
  auto made = clusters.must(target->table_info("t", clusters.deadline()));
  EXPECT_EQ(made.envs["default_ttl"], "1000");
}

TEST_F(CopyTableTest, RowsThatStayedCountInAllProcesses) {
  make_source(4);
  Model kept;
  for (int i = 0; const auto& [key, row] : model)
    if (i++ % 2 == 0) kept[key] = {"the target's", 0};
  write(clusters.create_table(target, "t", 3), kept);
  id = plan({.into_nonempty = true, .rules = {.mode = rows::WriteMode::kNoOverwrite}});
  ASSERT_EQ(work_a_little().end.state, RunState::kInterrupted);
  ASSERT_GT(seen().rows, 0);
  auto second = work();
  ASSERT_EQ(second.end.state, RunState::kDone) << refusal(second);
  EXPECT_EQ(second.report["rows_kept"], int64_t(kept.size()));
  EXPECT_EQ(second.report["rows"], int64_t(model.size() - kept.size()));
  EXPECT_LT(second.report["rows_read"], int64_t(model.size()));
  for (const auto& [key, row] : kept) model[key] = row;
  EXPECT_EQ(differences(model), "");
}

// The target's clock is ahead of the source's: what is alive there has expired here.
TEST_F(CopyTableTest, RowsThatExpiredOnTheWayCountInAllProcesses) {
  make_source(4, 0);
  Model lasting;
  for (int i = 0; i < 400; ++i) {
    testing::ModelKey key{"h" + std::to_string(10'000 + i), "s"};
    model[key] = {"v", i % 3 == 0 ? now() + 50 : 0};
    if (i % 3 != 0) lasting[key] = model[key];
  }
  write(clusters.open_table(source, "t"), model);
  clusters.target_time.advance(milliseconds(55'000));
  id = plan({.create = true});
  ASSERT_EQ(work_a_little().end.state, RunState::kInterrupted);
  const auto copied = seen().rows;
  ASSERT_GT(copied, 0);
  auto second = work();
  ASSERT_EQ(second.end.state, RunState::kDone) << refusal(second);
  EXPECT_EQ(second.report["rows"], int64_t(lasting.size()));
  EXPECT_EQ(second.report["rows_expired"], int64_t(model.size() - lasting.size()));
  EXPECT_LT(second.report["rows_read"], int64_t(model.size()) - copied) << "expired ones, too";
  EXPECT_EQ(differences(lasting), "");
}

// A target is the run's own only once the run may have made it.
TEST_F(CopyTableTest, ACancelLeavesWhatWasCopiedAndSaysSo) {
  make_source(4);
  id = plan({.create = true});
  ASSERT_EQ(work_a_little().end.state, RunState::kInterrupted);
  runs.by_word.clear();  // no cluster is asked
  EXPECT_EQ(good(runs.cancel(id)).state, RunState::kCancelled);
  const auto undone = runs::undone_of(seen());
  ASSERT_EQ(undone.size(), 2u);
  EXPECT_THAT(undone[0].says, HasSubstr("the source is unchanged"));
  EXPECT_THAT(undone[1].says, HasSubstr("which this run created, stays"));
}

const std::vector<UnitPosition> kPositions = {
    {.unit = 0, .last_key = "k0", .rows = 10, .bytes = 100, .done = true},
    {.unit = 2,
     .last_key = "k2",
     .rows = 20,
     .bytes = 200,
     .detail = R"({"expired":3,"kept":4,"not_geo":5})"}};

TEST(PartitionsToStart, EachContinuesWhereItWas) {
  auto lanes = partitions_to_start(kPositions, 4);
  ASSERT_EQ(lanes.size(), 4u);
  EXPECT_TRUE(lanes[0].done);
  EXPECT_EQ(lanes[0].rows, 10);
  EXPECT_EQ(lanes[1].last_key, "");
  EXPECT_FALSE(lanes[1].done);
  EXPECT_EQ(lanes[2].last_key, "k2");
  EXPECT_EQ(lanes[2].rows, 20);
  EXPECT_EQ(lanes[2].bytes, 200);
  EXPECT_EQ(lanes[2].expired, 3);
  EXPECT_EQ(lanes[2].kept, 4);
  EXPECT_EQ(lanes[2].not_geo, 5);
  EXPECT_FALSE(lanes[2].done);
}

TEST(PartitionsToStart, ADetailOfAnotherKindIsNoCount) {
  for (const char* detail : {"", "[]", "1", R"({"expired":"3"})", R"({"expired":1.5})", "{}"}) {
    auto lanes = partitions_to_start({{.unit = 0, .rows = 1, .detail = detail}}, 1);
    EXPECT_EQ(lanes[0].rows, 1);
    EXPECT_EQ(lanes[0].expired, 0) << detail;
  }
}

TEST(PartitionsToStart, AUnitThatTheTableDoesNotHaveIsLeftOut) {
  EXPECT_EQ(partitions_to_start({{.unit = INT32_MAX, .rows = 1}}, 4)[3].rows, 0);
}

}  // namespace
}  // namespace pegmove::migration
