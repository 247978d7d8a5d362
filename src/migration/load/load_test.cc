// Bulk loads as runs of the journal: what is refused before, what is put back after, and what real
// clusters are spared.
#include "migration/load/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <latch>
#include <nlohmann/json.hpp>
#include <thread>

#include "blockstore/digest.h"
#include "bulk_load_types.h"
#include "migration/runs_test.h"
#include "record/hash.h"
#include "record/key.h"
#include "record/value.h"
#include "splitter/target_files.h"
#include "testing/real_like.h"
#include "testing/test_cluster.h"

namespace pegmove::migration {
namespace {

using client::MetaLevel;
using journal::bad;
using journal::good;
using journal::RunState;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kPartitions = 2;
const std::map<std::string, std::string> kBehind = {{"rocksdb.allow_ingest_behind", "true"},
                                                    {"rocksdb.usage_scenario", "bulk_load"}};

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() { std::filesystem::create_directories(clusters_.source_servers.store_dir()); }

  void make_table(std::map<std::string, std::string> envs = {}) {
    clusters_.must(clusters_.source->create_table(
        "t", {.partition_count = kPartitions, .envs = std::move(envs)}, clusters_.deadline()));
    clusters_.must(clusters_.source->wait_until_ready("t", {}, clusters_.deadline()));
  }

  // One row a partition.
  void make_set() {
    auto store = this->store();
    const auto place = *bulkload::place_of("split", "B", "t");
    for (int32_t partition = 0; partition < kPartitions; ++partition) {
      std::string hash_key = "h";
      while (record::partition_index(record::key_hash(hash_key, ""), kPartitions) != partition)
        hash_key += "h";
      std::string value;
      record::append_value_header(value, 1, 0, 0);
      splitter::TargetFiles files(partition, "u0000", folder_ / "", 1 << 20, false);
      good(files.add(record::encode_key(hash_key, "s"), value + "loaded"));
      const auto file = *good(files.finish());
      const auto sent = clusters_.must(store.upload(file.path, place.file(partition, "1.sst"), {}));
      clusters_.must(
          store.write_file(place.metadata_file(partition),
                           encode(bulkload::Metadata{{{"1.sst", sent.sum.size, sent.sum.md5}}})));
    }
    clusters_.must(store.write_file(
        place.info_file(),
        encode(bulkload::Info{
            .app_id =
                clusters_.must(clusters_.source->table_info("t", clusters_.deadline())).app_id,
            .table = "t",
            .partition_count = kPartitions})));
  }
  blockstore::AsyncStore store() { return runs_.store(); }

  Result<std::vector<std::string>> check(client::Cluster& cluster, bool with_store = true) {
    std::optional<blockstore::AsyncStore> store;
    if (with_store) store.emplace(this->store());
    // outlives: this call, which waits for it.
    return clusters_.run([&]() -> Task<std::vector<std::string>> {
      co_return co_await check_load(cluster, request_, store);
    }());
  }
  runs::Ending load() {
    id_ = runs_.begin("load", to_json(request_));
    return resume();
  }
  runs::Ending resume() {
    runs_.events.show = [this](const std::string&) {
      if (auto request = std::exchange(at_first_look_, std::nullopt))
        good(runs_.open_journal().request(id_, *request));
    };
    return good(runs_.resume(id_));
  }
  // Nodes continue once the meta server has received the cancel.
  std::thread release_when_cancelled() {
    return std::thread([this] {
      testing::TestClient other(clusters_.source_servers.meta_address());
      const auto is_cancelled = [&] {
        return other.must(client::load_status(other.cluster(), "t", other.deadline())).status ==
               wire::BLS_CANCELED;
      };
      for (const auto end = other.deadline();
           !is_cancelled() && !end.passed(other.client().clock());) {
      }
      holds_ = false;
      go_on_.count_down();
    });
  }
  wire::bulk_load_status status() {
    return clusters_.must(client::load_status(*clusters_.source, "t", clusters_.deadline())).status;
  }
  std::string scenario() {
    const auto envs = clusters_.must(clusters_.source->table_info("t", clusters_.deadline())).envs;
    const auto found = envs.find("rocksdb.usage_scenario");
    return found == envs.end() ? "" : found->second;
  }
  MetaLevel level() { return clusters_.must(clusters_.source->meta_level(clusters_.deadline())); }

  std::latch go_on_{1};
  std::atomic<bool> holds_ = false;
  std::string holds_at_ = "load.file_downloaded";
  std::optional<journal::Request> at_first_look_;
  testing::TwoClusters clusters_{{.backups = true, .on_failpoint = [this](std::string_view step) {
                                    if (holds_ && step == holds_at_) go_on_.wait();
                                  }}};
  TestRuns runs_{clusters_};
  journal::TestFolder folder_;
  std::string id_;
  LoadRun request_{.to_metas = "a",
                   .load = {.table = "t", .cluster = "B", .provider = "disk", .path = "split"}};
};

TEST_F(LoadTest, TheLevelAndTheScenarioAreAsTheyWere) {
  make_table();
  make_set();
  clusters_.must(clusters_.source->set_meta_level(MetaLevel::kLively, clusters_.deadline()));
  EXPECT_THAT(good(check(*clusters_.source)), IsEmpty());
  const auto ending = load();
  ASSERT_EQ(ending.state, RunState::kDone) << ending.reason;
  const auto report = nlohmann::json::parse(ending.report->json);
  EXPECT_EQ(report["partitions"], kPartitions);
  EXPECT_TRUE(report.contains("writes_held_ms"));
  EXPECT_EQ(level(), MetaLevel::kLively);
  EXPECT_EQ(scenario(), "normal");
}

TEST_F(LoadTest, ALoadThatFailedLeavesTheTableAsItWasAndIsStartedAgainByAResume) {
  request_.load.ingest_behind = true;
  make_table(kBehind);
  clusters_.must(clusters_.source->set_meta_level(MetaLevel::kLively, clusters_.deadline()));
  const auto ending = load();  // there is no set
  EXPECT_EQ(ending.state, RunState::kFailed);
  EXPECT_THAT(ending.reason, HasSubstr("read bulk_load_info failed"));
  EXPECT_EQ(scenario(), "bulk_load") << "a compaction would spoil the next try";
  EXPECT_EQ(level(), MetaLevel::kLively);
  make_set();
  EXPECT_EQ(resume().state, RunState::kDone);
  EXPECT_EQ(scenario(), "normal");
  EXPECT_EQ(level(), MetaLevel::kLively);
}

TEST_F(LoadTest, ACancelIsPassedOnWhileFilesAreDownloaded) {
  make_table();
  make_set();
  holds_ = true;
  at_first_look_ = journal::Request::kCancel;
  std::thread releases = release_when_cancelled();
  const auto ending = load();
  releases.join();
  EXPECT_EQ(ending.state, RunState::kCancelled) << ending.reason;
  const auto undone = runs::undone_of(runs_.seen(id_));
  ASSERT_EQ(undone.size(), 2u);
  EXPECT_THAT(undone[0].says, HasSubstr("table t is unchanged"));
  EXPECT_THAT(undone[1].says, HasSubstr("are restored"));
  EXPECT_EQ(scenario(), "normal");
}

// A pause leaves the cluster to itself, as a killed process does.
TEST_F(LoadTest, ALoadThatNobodyWatchesIsCancelledOnTheClusterToo) {
  make_table();
  make_set();
  clusters_.must(clusters_.source->set_meta_level(MetaLevel::kLively, clusters_.deadline()));
  holds_ = true;
  at_first_look_ = journal::Request::kPause;
  EXPECT_EQ(load().state, RunState::kPaused);
  EXPECT_EQ(scenario(), "bulk_load");
  std::thread releases = release_when_cancelled();
  const auto cancelled = good(runs_.cancel(id_));
  releases.join();
  EXPECT_EQ(cancelled.state, RunState::kCancelled) << cancelled.reason;
  EXPECT_EQ(scenario(), "normal");
  EXPECT_EQ(level(), MetaLevel::kLively);
}

// The cluster is away when the run is cancelled: the undo is not lost.
TEST_F(LoadTest, ACancelThatCannotReachTheClusterIsRepeated) {
  make_table();
  make_set();
  holds_ = true;
  at_first_look_ = journal::Request::kPause;
  EXPECT_EQ(load().state, RunState::kPaused);
  runs_.by_word["a"] = nullptr;
  EXPECT_EQ(good(runs_.cancel(id_)).state, RunState::kCancelling);
  EXPECT_EQ(scenario(), "bulk_load");
  runs_.by_word["a"] = clusters_.source;
  std::thread releases = release_when_cancelled();
  EXPECT_EQ(resume().state, RunState::kCancelled) << "a resume continues the cancel";
  releases.join();
  EXPECT_EQ(scenario(), "normal");
}

TEST_F(LoadTest, ACancelThatIsTooLateSaysSoAndTheRunEnds) {
  make_table();
  make_set();
  clusters_.must(clusters_.source->set_meta_level(MetaLevel::kLively, clusters_.deadline()));
  holds_ = true;
  holds_at_ = "load.files_ingested";
  at_first_look_ = journal::Request::kPause;
  EXPECT_EQ(load().state, RunState::kPaused);
  for (const auto end = clusters_.deadline(); status() != wire::BLS_INGESTING;)
    ASSERT_FALSE(end.passed(runs_.clock())) << "no files are taken in";
  holds_ = false;
  go_on_.count_down();
  std::string warned;
  runs_.events.warn = [&](const std::string& text) { warned += text; };
  EXPECT_EQ(good(runs_.cancel(id_)).state, RunState::kDone);
  EXPECT_THAT(warned, HasSubstr("too late to cancel"));
  EXPECT_TRUE(status() == wire::BLS_SUCCEED);
  EXPECT_EQ(scenario(), "normal");
  EXPECT_EQ(level(), MetaLevel::kLively);
}

TEST_F(LoadTest, ARunThatBeganNothingHasNothingToCancel) {
  make_table();
  id_ = runs_.begin("load", to_json(request_));
  EXPECT_EQ(good(runs_.cancel(id_)).state, RunState::kCancelled);
  EXPECT_EQ(scenario(), "");
}

TEST_F(LoadTest, WhatIsWrongWithTheSetIsFoundBefore) {
  make_table();
  EXPECT_EQ(bad(check(*clusters_.source)).code(), Code::kNotFound);
  make_set();
  const auto place = *bulkload::place_of("split", "B", "t");
  const auto put_info = [&](int32_t app_id, int32_t partitions) {
    clusters_.must(store().write_file(
        place.info_file(),
        encode(bulkload::Info{.app_id = app_id, .table = "t", .partition_count = partitions})));
  };
  put_info(77, kPartitions);
  EXPECT_THAT(bad(check(*clusters_.source)).message(), HasSubstr("for a table with id 77"));
  put_info(1, 64);
  EXPECT_THAT(bad(check(*clusters_.source)).message(), HasSubstr("partition count 64"));
  put_info(1, kPartitions);
  clusters_.must(store().write_file(place.file(1, "1.sst"), "cut"));
  EXPECT_THAT(bad(check(*clusters_.source)).message(), HasSubstr("1/1.sst has 3 bytes instead of"));
  clusters_.must(store().remove(place.file(1, "1.sst")));
  EXPECT_THAT(bad(check(*clusters_.source)).message(),
              HasSubstr("split/B/t/1/1.sst does not exist"));
  EXPECT_THAT(good(check(*clusters_.source, /*with_store=*/false)).at(0),
              HasSubstr("[block_service.disk]"));
}

TEST_F(LoadTest, ATableThatMayHaveBeenCompactedIsNotLoadedBehind) {
  request_.load.ingest_behind = true;
  make_table({{"rocksdb.allow_ingest_behind", "true"}});
  make_set();
  const auto error = bad(check(*clusters_.source));
  EXPECT_EQ(error.code(), Code::kRefused);
  EXPECT_THAT(error.message(), HasSubstr("brings back rows that clients deleted"));
  clusters_.must(clusters_.source->set_envs("t", {{"rocksdb.usage_scenario", "bulk_load"}},
                                            clusters_.deadline()));
  EXPECT_THAT(good(check(*clusters_.source)), IsEmpty());
}

TEST_F(LoadTest, ATableThatDeniesWritesIsNotLoaded) {
  make_table({{"replica.deny_client_request", "reconfig*write"}});
  make_set();
  const auto error = bad(check(*clusters_.source));
  EXPECT_EQ(error.code(), Code::kRefused);
  EXPECT_THAT(error.to_string(), HasSubstr("reconfig*write denies writes"));
}

TEST_F(LoadTest, RealClustersAreSparedALoadOfOneReplica) {
  make_table();
  make_set();
  testing::RealLike real(clusters_.source_servers.meta_address().port);
  auto cluster = clusters_.connect(real.address());
  const auto error = bad(check(*cluster));
  EXPECT_EQ(error.code(), Code::kRefused);
  EXPECT_THAT(error.message(), HasSubstr("set_max_replica_count 3"));
  EXPECT_THAT(good(check(*clusters_.source)), IsEmpty()) << "embedded ones load it";
}

// As the meta server of a real cluster reports it: the phases, and at the end its rounds of
// cleaning up.
TEST(LoadLine, SaysWhatItWaitsForInEachPhase) {
  client::LoadStatus status{.status = wire::BLS_DOWNLOADING,
                            .partitions = {},
                            .max_replica_count = 2,
                            .is_loading = true,
                            .hint = ""};
  const auto replica = [](bool is_cleaned_up) {
    return client::LoadReplica{.node = "h:1", .percent = 50, .is_cleaned_up = is_cleaned_up};
  };
  const auto line = [&](wire::bulk_load_status phase) {
    status.status = phase;
    return to_line(progress_of(status, async::milliseconds(40'000)));
  };
  status.partitions = {
      {.status = wire::BLS_DOWNLOADING, .replicas = {replica(false), replica(false)}},
      {.status = wire::BLS_DOWNLOADED, .replicas = {replica(false), replica(false)}}};
  EXPECT_EQ(line(wire::BLS_DOWNLOADING), "loading: 50% downloaded, 1/2 partitions, 40.0 s");
  EXPECT_EQ(line(wire::BLS_DOWNLOADED),
            "loading: all files are downloaded, the servers begin to ingest them, 40.0 s");
  EXPECT_EQ(line(wire::BLS_INGESTING), "loading: ingesting files, 0/2 partitions, 40.0 s");
  status.partitions = {{.status = wire::BLS_SUCCEED, .replicas = {replica(true), replica(true)}},
                       {.status = wire::BLS_SUCCEED, .replicas = {replica(true), replica(false)}}};
  EXPECT_EQ(line(wire::BLS_SUCCEED),
            "loading: 2/2 partitions have the rows; the servers remove the downloaded files, 1/2 "
            "partitions cleaned up, 40.0 s");
  EXPECT_THAT(line(wire::BLS_FAILED), HasSubstr("it failed; the servers remove"));
  status.is_loading = false;
  EXPECT_EQ(line(wire::BLS_SUCCEED), "loading: 2/2 partitions have the rows, 40.0 s");
}

TEST(LoadRunJson, ComesBackAndWrongFieldsAreNamed) {
  const LoadRun run{.to_metas = "a:1",
                    .load = {.table = "t",
                             .cluster = "B",
                             .provider = "disk",
                             .path = "split",
                             .ingest_behind = true},
                    .timeout = async::milliseconds(7'000)};
  const auto read = good(load_run_from_json(to_json(run)));
  EXPECT_EQ(to_json(read), to_json(run));
  EXPECT_THAT(bad(load_run_from_json("[]")).to_string(), HasSubstr("options of a load"));
  EXPECT_THAT(bad(load_run_from_json(R"({"to_metas":7})")).to_string(), HasSubstr("'to_metas'"));
}

}  // namespace
}  // namespace pegmove::migration
