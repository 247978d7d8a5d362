// Copies that end early and go on in another process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/this_coro.hpp>

#include "journal/journals_test.h"
#include "migration/copy/copy_run.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "testing/random_table.h"
#include "testing/two_clusters.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;
using journal::good;
using journal::RunState;
using ::testing::HasSubstr;
using testing::Model;

// Lets one batch be written: the next must wait for its rows' worth of seconds.
const rows::PaceOptions kOneBatch{.max_rows_per_second = 1, .adaptive = false};

class CopyResumeTest : public ::testing::Test {
 protected:
  struct Ended {
    Result<CopyReport> report;
    RunEnd end;
  };
  // Sees how far it is, and may stop it.
  using Listener = std::function<void(const CopyStatus&, async::StopSignal&)>;

  uint32_t now() const { return record::pegasus_seconds(clusters.source_time.unix_seconds()); }

  void make_source(int partitions, int rows = 400) {
    for (int i = 0; i < rows; ++i)
      model[{"h" + std::to_string(10'000 + i), "s"}] = {"v" + std::to_string(i), 0};
    write(clusters.create_table(source, "t", partitions), model);
  }
  void write(const std::shared_ptr<client::Table>& table, const Model& rows) {
    clusters.must(write_model(table, rows, clusters.deadline()));
  }
  void make_anew(const std::shared_ptr<client::Cluster>& cluster, int partitions) {
    clusters.must(cluster->drop_table("t", 0, clusters.deadline()));
    clusters.create_table(cluster, "t", partitions);
  }

  std::string plan(CopyOptions options) {
    options.table = options.to_table = "t";
    CopyRequest request{.from_metas = source->meta_list(),
                        .to_metas = target->meta_list(),
                        .options = std::move(options)};
    return good(journal.begin({.method = std::string(kCopyMethod),
                               .from = "a",
                               .to = "b",
                               .table = "t",
                               .to_table = "t",
                               .options = to_json(request)}))
        .id;
  }

  // A process that works on the run, from its begin to its end.
  Ended work(rows::PaceOptions pace = {}, Listener listener = {}) {
    return clusters.must(work_on(pace, std::move(listener)));
  }
  // One that is stopped when something has become of the first rows.
  Ended work_a_little() {
    return work(kOneBatch, [](const CopyStatus& status, async::StopSignal& stop) {
      const auto& progress = status.progress;
      if (progress.rows + progress.rows_expired + progress.rows_kept > 0) stop.request();
    });
  }
  Task<Ended> work_on(rows::PaceOptions pace, Listener listener) {
    async::StopSignal stop;
    auto executor = co_await asio::this_coro::executor;
    auto& clock = source->client().clock();
    auto keeper = CO_TRY(co_await RunKeeper::take(executor, clock, path, id, stop));
    auto request = CO_TRY(copy_request_from_json(keeper->run().options));
    auto options = options_to_go_on(keeper->run(), request);
    options.pump.lanes_at_once = lanes_at_once;
    inspect::Side from{"a", source}, to{"b", target};
    auto preflight = co_await look_before_copy(std::move(from), std::move(to), options);
    CopyRunEvents events;
    if (listener) events.on_copy = [&](const CopyStatus& status) { listener(status, stop); };
    auto report = co_await run_copy(*keeper, std::move(preflight), pace, stop, events);
    auto end =
        CO_TRY(co_await keeper->end(report ? Result<void>() : Result<void>(fail(report.error()))));
    co_return Ended{std::move(report), std::move(end)};
  }

  journal::Run seen() { return good(journal.get(id)); }
  std::string differences(const Model& rows) {
    return clusters.must(
        differs_from(clusters.open_table(target, "t"), rows, now(), clusters.deadline()));
  }

  testing::TwoClusters clusters;
  std::shared_ptr<client::Cluster> source = clusters.source, target = clusters.target;
  journal::TestFolder folder;
  const std::string path = folder / "journal.db";
  journal::Journal journal = good(journal::Journal::open(path, clusters.source_time));
  std::string id;
  Model model;
  int lanes_at_once = 16;
};

TEST_F(CopyResumeTest, AStoppedRunGoesOnAndReadsOnlyTheRest) {
  make_source(4);
  id = plan({.create = true, .partitions = 6});
  auto first = work_a_little();
  ASSERT_FALSE(first.report);
  EXPECT_EQ(first.report.error().code(), Code::kInterrupted) << first.report.error().to_string();
  EXPECT_EQ(first.end.state, RunState::kInterrupted);
  const auto copied = seen().rows;
  ASSERT_GT(copied, 0);
  ASSERT_LT(copied, int64_t(model.size()));

  auto second = work();
  ASSERT_TRUE(second.report) << second.report.error().to_string();
  EXPECT_EQ(second.end.state, RunState::kDone);
  EXPECT_EQ(second.report->rows, int64_t(model.size()));
  EXPECT_EQ(second.report->rows_read, int64_t(model.size()) - copied);
  EXPECT_EQ(seen().rows, int64_t(model.size()));
  EXPECT_EQ(differences(model), "");
}

TEST_F(CopyResumeTest, ManyProcessesCopyEachRowOnce) {
  make_source(3);
  id = plan({.create = true});
  lanes_at_once = 2;
  int64_t before = 0;
  for (int process = 0; process < 6; ++process) {
    ASSERT_FALSE(work_a_little().report);
    EXPECT_GE(seen().rows, before);
    before = seen().rows;
  }
  auto last = work();
  ASSERT_TRUE(last.report) << last.report.error().to_string();
  EXPECT_EQ(last.report->rows, int64_t(model.size()));
  EXPECT_EQ(last.report->rows_read, int64_t(model.size()) - before);
  EXPECT_EQ(differences(model), "");
}

TEST_F(CopyResumeTest, APauseEndsTheProcessAndTheRunGoesOn) {
  make_source(4);
  id = plan({.create = true});
  auto first =
      work(kOneBatch, [&, asked = false](const CopyStatus& status, async::StopSignal&) mutable {
        if (status.progress.rows == 0 || std::exchange(asked, true)) return;
        good(journal.request(id, journal::Request::kPause));
      });
  ASSERT_FALSE(first.report);
  EXPECT_EQ(first.end.state, RunState::kPaused);
  auto second = work();
  ASSERT_TRUE(second.report) << second.report.error().to_string();
  EXPECT_EQ(second.report->rows, int64_t(model.size()));
  EXPECT_EQ(differences(model), "");
}

TEST_F(CopyResumeTest, ASettingActsOnTheProcessThatRuns) {
  make_source(4);
  id = plan({.create = true});
  auto ended =
      work(kOneBatch, [&, set = false](const CopyStatus& status, async::StopSignal&) mutable {
        if (status.progress.rows == 0 || std::exchange(set, true)) return;
        good(journal.set(id, "max-rows-per-second", "0"));
      });
  ASSERT_TRUE(ended.report) << ended.report.error().to_string();
  EXPECT_EQ(ended.end.state, RunState::kDone);
}

TEST_F(CopyResumeTest, ASourceTableThatWasMadeAnewIsRefused) {
  make_source(4);
  id = plan({.create = true});
  ASSERT_FALSE(work_a_little().report);
  make_anew(source, 4);
  auto second = work();
  ASSERT_FALSE(second.report);
  EXPECT_EQ(second.report.error().code(), Code::kRefused) << second.report.error().to_string();
  EXPECT_THAT(second.report.error().to_string(), HasSubstr("source table 't' was made anew"));
  EXPECT_EQ(seen().state, RunState::kFailed);
}

TEST_F(CopyResumeTest, ATargetTableThatWasMadeAnewIsRefused) {
  make_source(4);
  id = plan({.create = true});
  ASSERT_FALSE(work_a_little().report);
  make_anew(target, 4);
  auto second = work();
  ASSERT_FALSE(second.report);
  EXPECT_EQ(second.report.error().code(), Code::kRefused) << second.report.error().to_string();
  EXPECT_THAT(second.report.error().to_string(), HasSubstr("target table 't' was made anew"));
  EXPECT_EQ(differences({}), "") << "nothing is written to it";
}

TEST_F(CopyResumeTest, ATargetThatWasMadeBeforeTheProcessWasKilledIsTaken) {
  make_source(4);
  id = plan({.create = true, .partitions = 6});
  good(journal.set_state(id, RunState::kRunning, "", "{}"));
  clusters.create_table(target, "t", 6);
  auto ended = work();
  ASSERT_TRUE(ended.report) << ended.report.error().to_string();
  EXPECT_EQ(differences(model), "");
}

TEST_F(CopyResumeTest, ATargetOfSomebodyElseIsNotTakenByARunThatHasNotBegun) {
  make_source(4);
  id = plan({.create = true});
  clusters.create_table(target, "t", 4);
  auto ended = work();
  ASSERT_FALSE(ended.report);
  EXPECT_EQ(ended.report.error().code(), Code::kAlreadyExists);
  EXPECT_EQ(differences({}), "");
}

TEST_F(CopyResumeTest, AResultOfAnotherKindIsCorrupt) {
  make_source(4);
  for (
      const char* result :
      {"[]", "1", R"({"source_app_id":1,"source_partitions":4,"target_app_id":1})",
       R"({"source_app_id":1,"source_partitions":4,"target_app_id":1,"envs_after_copy":{"a":1}})",
       R"({"source_app_id":"1","source_partitions":4,"target_app_id":1,"envs_after_copy":{}})",
       R"({"source_app_id":1,"source_partitions":0,"target_app_id":1,"envs_after_copy":{}})",
       R"({"source_app_id":4294967297,"source_partitions":4,"target_app_id":1,"envs_after_copy":{}})"}) {
    id = plan({.create = true});
    good(journal.set_state(id, RunState::kRunning, "", result));
    auto ended = work();
    ASSERT_FALSE(ended.report) << result;
    EXPECT_EQ(ended.report.error().code(), Code::kCorrupt) << ended.report.error().to_string();
    EXPECT_THAT(ended.report.error().to_string(), HasSubstr(id));
  }
}

int32_t partition_of(const testing::ModelKey& key, int32_t partitions) {
  return record::partition_index(record::raw_key_hash({key.hash_key, key.sort_key}), partitions);
}

TEST_F(CopyResumeTest, ChosenPartitionsGoOnAsThoseThatTheyAre) {
  make_source(4);
  id = plan({.create = true, .rules = {.partitions = {3, 1}}});
  lanes_at_once = 1;
  ASSERT_FALSE(work_a_little().report);
  auto positions = good(journal.positions(id));
  ASSERT_EQ(positions.size(), 1u);
  EXPECT_EQ(positions[0].lane, 3);
  const auto copied = seen().rows;
  ASSERT_GT(copied, 0);

  std::erase_if(model, [](const auto& row) { return partition_of(row.first, 4) % 2 == 0; });
  auto second = work();
  ASSERT_TRUE(second.report) << second.report.error().to_string();
  EXPECT_EQ(second.report->rows, int64_t(model.size()));
  EXPECT_EQ(second.report->rows_read, int64_t(model.size()) - copied);
  EXPECT_EQ(second.report->partition_rows.size(), 2u);
  EXPECT_EQ(differences(model), "");
}

// A position does not tell whether it is from before a split.
TEST_F(CopyResumeTest, ASourceOfAnotherPartitionCountIsRefused) {
  make_source(4);
  auto table = clusters.create_table(target, "t", 3);
  id = plan({.create = true});
  good(journal.set_state(
      id, RunState::kInterrupted, "",
      R"({"source_app_id":)" + std::to_string(clusters.open_table(source, "t")->app_id()) +
          R"(,"source_partitions":2,"target_app_id":)" + std::to_string(table->app_id()) +
          R"(,"target_partitions":3,"envs_after_copy":{}})"));
  auto ended = work();
  ASSERT_FALSE(ended.report);
  EXPECT_EQ(ended.report.error().code(), Code::kRefused);
  EXPECT_THAT(ended.report.error().to_string(), HasSubstr("has 4 partitions instead of 2"));
}

TEST_F(CopyResumeTest, WhatTheFirstProcessWantedForTheMadeTargetIsKept) {
  make_source(2);
  auto table = clusters.create_table(target, "t", 3);
  id = plan({.create = true});
  good(journal.set_state(
      id, RunState::kInterrupted, "",
      R"({"source_app_id":)" + std::to_string(clusters.open_table(source, "t")->app_id()) +
          R"(,"source_partitions":2,"target_app_id":)" + std::to_string(table->app_id()) +
          R"(,"target_partitions":3,"envs_after_copy":{"default_ttl":"1000"}})"));
  auto ended = work();
  ASSERT_TRUE(ended.report) << ended.report.error().to_string();
  EXPECT_EQ(differences(model), "");
  auto made = clusters.must(target->table_info("t", clusters.deadline()));
  EXPECT_EQ(made.envs["default_ttl"], "1000");
}

TEST_F(CopyResumeTest, RowsThatStayedCountInAllProcesses) {
  make_source(4);
  Model kept;
  for (int i = 0; const auto& [key, row] : model)
    if (i++ % 2 == 0) kept[key] = {"the target's", 0};
  write(clusters.create_table(target, "t", 3), kept);
  id = plan({.into_nonempty = true, .rules = {.mode = rows::WriteMode::kNoOverwrite}});
  ASSERT_FALSE(work_a_little().report);
  ASSERT_GT(seen().rows, 0);
  auto second = work();
  ASSERT_TRUE(second.report) << second.report.error().to_string();
  EXPECT_EQ(second.report->rows_kept, int64_t(kept.size()));
  EXPECT_EQ(second.report->rows, int64_t(model.size() - kept.size()));
  EXPECT_LT(second.report->rows_read, int64_t(model.size()));
  for (const auto& [key, row] : kept) model[key] = row;
  EXPECT_EQ(differences(model), "");
}

// The target is later than the source: what lives there has expired here.
TEST_F(CopyResumeTest, RowsThatExpiredOnTheWayCountInAllProcesses) {
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
  ASSERT_FALSE(work_a_little().report);
  const auto copied = seen().rows;
  ASSERT_GT(copied, 0);
  auto second = work();
  ASSERT_TRUE(second.report) << second.report.error().to_string();
  EXPECT_EQ(second.report->rows, int64_t(lasting.size()));
  EXPECT_EQ(second.report->rows_expired, int64_t(model.size() - lasting.size()));
  EXPECT_LT(second.report->rows_read, int64_t(model.size()) - copied) << "expired ones, too";
  EXPECT_EQ(differences(lasting), "");
}

}  // namespace
}  // namespace pegmove::migration
