// Bulk loads of an embedded cluster with simulated time: those that succeed, those that are
// refused, those that are paused or cancelled, and concurrent writes.
#include "server/meta/load/bulk_loads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/sst_file_writer.h>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>

#include "blockstore/digest.h"
#include "blockstore/local_store.h"
#include "bulk_load_types.h"
#include "bulkload/metadata.h"
#include "client/bulk_loads.h"
#include "client/node.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "record/value.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"
#include "testing/test_folder.h"

namespace pegmove::server::meta {
namespace {

using client::LoadControl;
using ::testing::HasSubstr;

constexpr int kPartitions = 4;

std::string stored(const std::string& data) {
  std::string value;
  record::append_value_header(value, 1, 0, 0);
  return value + data;
}

std::string hash_key(int row) { return "h" + std::to_string(row); }

// Raw key to stored value, for rows "h<i>" / "s".
using Rows = std::map<std::string, std::string>;
Rows some_rows(int from, int to, const std::string& data) {
  Rows rows;
  for (int i = from; i < to; ++i) rows[record::encode_key(hash_key(i), "s")] = stored(data);
  return rows;
}

class BulkLoadsTest : public ::testing::Test {
 protected:
  BulkLoadsTest() { std::filesystem::create_directories(servers_.store_dir()); }
  // Also when the test has failed.
  ~BulkLoadsTest() override { let_go(); }

  // Creates a table for an ingest-behind load, or an ordinary one.
  std::shared_ptr<client::Table> make_table(const std::string& name, bool behind = false) {
    std::map<std::string, std::string> envs;
    if (behind)
      envs = {{"rocksdb.allow_ingest_behind", "true"}, {"rocksdb.usage_scenario", "bulk_load"}};
    return client_.create_table(name, kPartitions, envs);
  }

  void write_file(const std::string& path, const std::string& bytes) {
    auto upload = store_->create(path);
    ASSERT_TRUE(upload && (*upload)->append(bytes));
    ASSERT_TRUE((*upload)->finish(blockstore::md5_hex(bytes)));
  }
  static std::string table_file(const Rows& rows) {
    const testing::TestFolder folder;
    rocksdb::SstFileWriter writer{rocksdb::EnvOptions(), rocksdb::Options()};
    EXPECT_TRUE(writer.Open(folder / "file").ok());
    for (const auto& [key, value] : rows) EXPECT_TRUE(writer.Put(key, value).ok());
    EXPECT_TRUE(writer.Finish().ok());
    return testing::read_file(folder / "file");
  }
  static std::string folder_of(const std::string& table) { return "split/B/" + table; }

  // Files of these rows for the table, each in its partition.
  void make_set(const client::Table& table, const std::string& name, const Rows& rows) {
    std::vector<Rows> by_partition(kPartitions);
    for (const auto& row : rows) {
      const auto hash = record::raw_key_hash(*record::split_key(row.first));
      by_partition[size_t(record::partition_index(hash, kPartitions))].insert(row);
    }
    for (int i = 0; i < kPartitions; ++i) {
      auto& mine = by_partition[size_t(i)];
      if (mine.empty()) mine[""] = "";
      put_partition(name, i, {{"1.sst", table_file(mine)}});
    }
    put_info(name, {.app_id = table.app_id(), .table = name, .partition_count = kPartitions});
  }
  void put_info(const std::string& name, const bulkload::Info& info) {
    write_file(folder_of(name) + "/bulk_load_info", encode(info));
  }
  void put_partition(const std::string& name, int partition,
                     const std::map<std::string, std::string>& files) {
    bulkload::Metadata metadata;
    const auto folder = folder_of(name) + "/" + std::to_string(partition) + "/";
    for (const auto& [file, bytes] : files) {
      write_file(folder + file, bytes);
      metadata.files.push_back({file, int64_t(bytes.size()), blockstore::md5_hex(bytes)});
    }
    write_file(folder + "bulk_load_metadata", encode(metadata));
  }

  Result<void> start(const std::string& table, bool behind = false,
                     const std::string& cluster = "B") {
    return client_.run(client::start_load(client_.cluster(),
                                          {.table = table,
                                           .cluster = cluster,
                                           .provider = "disk",
                                           .path = "/split",
                                           .ingest_behind = behind},
                                          client_.deadline()));
  }
  Result<client::LoadStatus> status(const std::string& table) {
    return client_.run(client::load_status(client_.cluster(), table, client_.deadline()));
  }
  Result<void> control(const std::string& table, LoadControl how) {
    return client_.run(client::control_load(client_.cluster(), table, how, client_.deadline()));
  }
  // Advances the servers' time meanwhile.
  template <typename Holds>
  client::LoadStatus wait_until(const std::string& table, Holds holds) {
    for (const auto end = client_.deadline();; time_.advance(async::milliseconds(100))) {
      auto now = status(table);
      if (now && holds(*now)) return *now;
      if (!now) throw std::runtime_error(now.error().to_string());
      if (end.passed(client_.clock())) throw std::runtime_error("it does not end");
    }
  }
  void wait_for_success(const std::string& table) {
    wait_until(table,
               [](const auto& now) { return now.status == wire::BLS_SUCCEED && !now.is_loading; });
  }
  Error wait_for_failure(const std::string& table) {
    for (const auto end = client_.deadline();; time_.advance(async::milliseconds(1'000))) {
      auto now = status(table);
      if (!now) return now.error();
      if (end.passed(client_.clock())) throw std::runtime_error("it does not fail");
    }
  }
  std::optional<std::string> value_of(client::Table& table, int row) {
    return client_.must(table.get(hash_key(row), "s", client_.deadline())).value;
  }
  void set(client::Table& table, int row, const std::string& value) {
    client_.must(table.set(hash_key(row), "s", value, 0, client_.deadline()));
  }
  void remove(client::Table& table, int row) {
    client_.must(table.del(hash_key(row), "s", client_.deadline()));
  }
  // Whether the nodes have files of a load.
  bool has_files_here() {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(servers_.data_dir() + "/replica0"))
      if (entry.path().filename() == "bulk_load") return true;
    return false;
  }
  void expect_failed_and_untouched(const std::string& table, client::Table& rows,
                                   const std::string& says) {
    const auto error = wait_for_failure(table);
    EXPECT_THAT(error.message(), HasSubstr(says));
    EXPECT_THAT(error.message(), HasSubstr("the table is as it was"));
    EXPECT_EQ(value_of(rows, 0), std::nullopt);
    EXPECT_FALSE(
        client_.must(client_.cluster().table_info(table, client_.deadline())).envs.contains("x"));
    for (const auto end = client_.deadline(); has_files_here();)
      ASSERT_FALSE(end.passed(client_.clock())) << "files stay";
  }

  // The nodes and the meta server wait at the step of this name, until another one is held, or
  // none.
  void hold_at(const std::string& step) {
    std::lock_guard lock(steps_mutex_);
    held_step_ = step;
    hold_changed_.notify_all();
  }
  void let_go() { hold_at(""); }
  void set_of_meta(const std::string& setting) {
    const auto reply = client_.must(
        client_.client().http_get(*net::parse_host_port(servers_.meta_address().to_string()),
                                  "/updateConfig?" + setting, client_.deadline()));
    EXPECT_THAT(reply.body, HasSubstr("ERR_OK"));
  }

  testing::SimClock time_;
  std::mutex steps_mutex_;  // guards what follows
  std::string held_step_;
  std::condition_variable hold_changed_;
  std::vector<std::string> steps_;  // so far
  testing::TestCluster servers_{time_,
                                {.backups = true, .on_failpoint = [this](std::string_view step) {
                                   std::unique_lock lock(steps_mutex_);
                                   steps_.emplace_back(step);
                                   hold_changed_.wait(lock, [&] { return held_step_ != step; });
                                 }}};
  testing::TestClient client_{servers_.meta_address()};
  std::unique_ptr<blockstore::BlockStore> store_ =
      blockstore::make_local_store("disk", servers_.store_dir());
};

TEST_F(BulkLoadsTest, LoadedRowsAreReadAndWinOverThoseThatWereThere) {
  auto table = make_table("t");
  set(*table, 3, "before");
  set(*table, 1000, "before");
  make_set(*table, "t", some_rows(0, 200, "loaded"));
  ASSERT_TRUE(start("t"));
  wait_for_success("t");
  for (const int row : {0, 3, 199}) EXPECT_EQ(value_of(*table, row), "loaded");
  EXPECT_EQ(value_of(*table, 1000), "before");
  EXPECT_EQ(value_of(*table, 200), std::nullopt);
  set(*table, 3, "after");
  EXPECT_EQ(value_of(*table, 3), "after");
  EXPECT_FALSE(has_files_here());
  EXPECT_EQ(client_.must(client_.cluster().meta_level(client_.deadline())),
            client::MetaLevel::kSteady)
      << "as a load of real servers leaves it";
}

TEST_F(BulkLoadsTest, WhatARealClusterLoadedIsLoadedHere) {
  std::filesystem::copy("tests/golden/bulk-load", servers_.store_dir() + "/split",
                        std::filesystem::copy_options::recursive);
  for (const auto* name : {"one", "two", "three"}) make_table(name);  // the set is for id 4
  auto table = make_table("bl3", /*behind=*/true);
  ASSERT_EQ(table->app_id(), 4);
  client_.must(table->set("k00000007", "s", "newer", 0, client_.deadline()));
  client_.must(table->del("k00000008", "s", client_.deadline()));
  ASSERT_TRUE(start("bl3", true, "oneboxB"));
  wait_for_success("bl3");
  const auto value = [&](const std::string& key) {
    return client_.must(table->get(key, "s", client_.deadline())).value;
  };
  EXPECT_EQ(value("k00000007"), "newer");
  EXPECT_EQ(value("k00000008"), std::nullopt);
  for (int i = 0; i < 20'000; i += 97) {
    char key[16];
    std::snprintf(key, sizeof key, "k%08d", i);
    if (i == 7 || i == 8) continue;
    EXPECT_THAT(value(key).value_or("(none)"), HasSubstr("loadedxxx")) << key;
  }
}

// Applies random writes, deletes and expiries of clients to a table and to a model of it, in which
// the loaded rows were written first.
class LoadBehindTest : public BulkLoadsTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  static constexpr int kRows = 300;
  struct Value {
    std::string data;
    uint32_t expire_ts = 0;
  };

  uint32_t now() const { return record::pegasus_seconds(time_.unix_seconds()); }
  // None, or some time from now: during the test or after it.
  uint32_t any_expiry() { return random_() % 3 ? 0 : now() + 1 + uint32_t(random_() % 600); }

  Rows rows_to_load() {
    Rows rows;
    for (int row = 0; row < kRows; ++row) {
      if (row % 3 == 0) continue;
      const Value value{"loaded", any_expiry()};
      std::string header;
      record::append_value_header(header, 1, value.expire_ts, 0);
      rows[record::encode_key(hash_key(row), "s")] = header + value.data;
      model_[row] = value;
    }
    return rows;
  }
  void change(int count) {
    for (int i = 0; i < count; ++i) {
      const int row = int(random_() % kRows);
      if (random_() % 3 == 0) {
        remove(*table_, row);
        model_.erase(row);
      } else {
        const Value value{"v" + std::to_string(random_()), any_expiry()};
        client_.must(
            table_->set(hash_key(row), "s", value.data, value.expire_ts, client_.deadline()));
        model_[row] = value;
      }
    }
  }
  std::optional<std::string> expected(int row) const {
    const auto found = model_.find(row);
    if (found == model_.end() || record::is_expired(found->second.expire_ts, now()))
      return std::nullopt;
    return found->second.data;
  }
  void check(const char* when) {
    for (int row = 0; row < kRows; ++row)
      EXPECT_EQ(value_of(*table_, row), expected(row)) << when << ", row " << row;
  }
  void compact() {
    time_.advance(async::milliseconds(1'000));  // one that ended in this second would count
    client_.must(client_.cluster().start_compaction("t", {}, client_.deadline()));
    for (const auto end = client_.deadline();; time_.advance(async::milliseconds(100))) {
      if (client_.must(client_.cluster().compaction_progress("t", client_.deadline())) == 100)
        return;
      ASSERT_FALSE(end.passed(client_.clock())) << "the compaction does not end";
    }
  }

  std::mt19937 random_{GetParam()};
  std::map<int, Value> model_;
  std::shared_ptr<client::Table> table_ = make_table("t", /*behind=*/true);
};

TEST_P(LoadBehindTest, IsOlderThanEverythingThatClientsDid) {
  const auto loaded = rows_to_load();
  change(150);
  time_.advance(async::milliseconds(100'000));  // some of them expire before the load
  make_set(*table_, "t", loaded);
  hold_at("load.file_downloaded");  // so that the meta server can answer
  ASSERT_TRUE(start("t", true));
  hold_at("load.partition_downloaded");  // the meta server waits there, and the nodes serve
  change(60);
  let_go();
  wait_for_success("t");
  change(60);
  check("after the load");
  servers_.restart();
  table_ = client_.open_table("t");
  check("after a restart");
  client_.must(
      client_.cluster().set_envs("t", {{"rocksdb.usage_scenario", "normal"}}, client_.deadline()));
  client_.must(client_.cluster().start_compaction("t", {}, client_.deadline()));
  change(60);
  check("beside a compaction");
  time_.advance(async::milliseconds(200'000));
  check("when more have expired");
  compact();
  check("after a compaction");
  time_.advance(async::milliseconds(600'000));
  compact();
  check("when all have expired that will");
}

INSTANTIATE_TEST_SUITE_P(Seeds, LoadBehindTest, ::testing::Values(7, 8, 9));

TEST_F(BulkLoadsTest, RefusedBeforeAnythingIsNoted) {
  auto table = make_table("t");
  const auto expect = [&](const Result<void>& result, Code code, const std::string& says) {
    ASSERT_FALSE(result) << says;
    EXPECT_EQ(result.error().code(), code) << result.error().to_string();
    EXPECT_THAT(result.error().message(), HasSubstr(says));
    const auto now = status("t");
    ASSERT_TRUE(now);
    EXPECT_FALSE(now->is_loading);
  };
  expect(start("none"), Code::kNotFound, "app not existed is");
  expect(start("t"), Code::kNotFound, "read bulk_load_info failed");
  expect(start("t", true), Code::kRefused, "inconsistent ingestion behind option");
  write_file(folder_of("t") + "/bulk_load_info", "nonsense");
  expect(start("t"), Code::kCorrupt, "bulk_load_info damaged");
  put_info("t", {.app_id = 77, .table = "t", .partition_count = kPartitions});
  expect(start("t"), Code::kRefused, "app_id or partition_count is inconsistent");
  put_info("t", {.app_id = table->app_id(), .table = "t", .partition_count = 8});
  expect(start("t"), Code::kRefused, "app_id or partition_count is inconsistent");
  expect(
      client_.run(client::start_load(
          client_.cluster(), {.table = "t", .cluster = "B", .provider = "none", .path = "/split"},
          client_.deadline())),
      Code::kInvalidArgument, "invalid file_provider");
  expect(control("t", LoadControl::kPause), Code::kRefused, "is not executing bulk load");
}

TEST_F(BulkLoadsTest, DamagedFilesAreFoundBeforeAnyPartitionTakesItsIn) {
  auto table = make_table("t");
  const auto rows = some_rows(0, 200, "loaded");
  Rows of_two;
  for (const auto& row : rows)
    if (record::partition_index(record::raw_key_hash(*record::split_key(row.first)), kPartitions) ==
        2)
      of_two.insert(row);
  const auto good = table_file(of_two);
  const auto folder = folder_of("t") + "/2/";
  const std::pair<const char*, std::function<void()>> damages[] = {
      {"has",  // the sidecar's size or the MD5 differs
       [&] {
         auto bytes = good;
         bytes[bytes.size() / 2] ^= 1;
         write_file(folder + "1.sst", bytes);
       }},
      {"1.sst", [&] { ASSERT_TRUE(store_->remove(folder + "1.sst")); }},
      {"bulk_load_metadata", [&] { ASSERT_TRUE(store_->remove(folder + "bulk_load_metadata")); }},
      {"no bytes",
       [&] { write_file(folder + "bulk_load_metadata", R"({"files":[],"file_total_size":0})"); }},
      {"belongs to partition", [&] { put_partition("t", 2, {{"1.sst", table_file(rows)}}); }},
      {"overlap", [&] { put_partition("t", 2, {{"1.sst", good}, {"2.sst", good}}); }},
      {"listed twice", [&] {
         const auto md5 = blockstore::md5_hex(good);
         const auto file = R"({"name":"1.sst","size":)" + std::to_string(good.size()) +
                           R"(,"md5":")" + md5 + R"("})";
         write_file(folder + "bulk_load_metadata", R"({"files":[)" + file + "," + file +
                                                       R"(],"file_total_size":)" +
                                                       std::to_string(2 * good.size()) + "}");
       }}};
  for (const auto& [says, damage] : damages) {
    SCOPED_TRACE(says);
    make_set(*table, "t", rows);
    damage();
    ASSERT_TRUE(start("t"));
    expect_failed_and_untouched("t", *table, says);
    EXPECT_THAT(wait_for_failure("t").message(), HasSubstr("partition 2"));
  }
  make_set(*table, "t", rows);
  ASSERT_TRUE(start("t"));
  wait_for_success("t");
  EXPECT_EQ(value_of(*table, 0), "loaded");
}

TEST_F(BulkLoadsTest, ATableThatWasCompactedIsNotLoadedBehind) {
  auto table = make_table("t", /*behind=*/true);
  set(*table, 0, "v");
  remove(*table, 0);
  client_.must(
      client_.cluster().set_envs("t", {{"rocksdb.usage_scenario", "normal"}}, client_.deadline()));
  set(*table, 1, "v");
  client_.must(client_.cluster().start_compaction("t", {}, client_.deadline()));
  for (const auto end = client_.deadline();;) {
    auto compacted = client_.must(client_.cluster().compaction_progress("t", client_.deadline()));
    if (compacted && *compacted >= 100) break;
    ASSERT_FALSE(end.passed(client_.clock()));
  }
  make_set(*table, "t", some_rows(0, 50, "loaded"));
  ASSERT_TRUE(start("t", true));
  EXPECT_THAT(wait_for_failure("t").message(), HasSubstr("has been compacted"));
  EXPECT_EQ(value_of(*table, 0), std::nullopt) << "it would have come back";
}

TEST_F(BulkLoadsTest, NothingIsCompactedBeforeALoadBehind) {
  auto table = make_table("t", /*behind=*/true);
  set(*table, 0, "v");
  remove(*table, 0);
  const auto refused = client_.run(client_.cluster().start_compaction("t", {}, client_.deadline()));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().to_string(), HasSubstr("waits for a load behind its rows"));
  // Through an app env, which is not refused.
  client_.must(client_.cluster().set_envs(
      "t", {{"manual_compact.once.trigger_time", std::to_string(time_.unix_seconds())}},
      client_.deadline()));
  time_.advance(async::milliseconds(120'000));  // nodes check for due compactions
  make_set(*table, "t", some_rows(0, 50, "loaded"));
  ASSERT_TRUE(start("t", true));
  wait_for_success("t");
  EXPECT_EQ(value_of(*table, 0), std::nullopt);
  EXPECT_EQ(value_of(*table, 1), "loaded");
}

TEST_F(BulkLoadsTest, PausedAndRestartedItGoesOnAndCancelledItIsGone) {
  auto table = make_table("t");
  make_set(*table, "t", some_rows(0, 50, "loaded"));
  hold_at("load.file_downloaded");
  ASSERT_TRUE(start("t"));
  EXPECT_THAT(start("t").error().message(), HasSubstr("is already executing bulk load"));
  EXPECT_THAT(control("t", LoadControl::kRestart).error().message(),
              HasSubstr("can not restart bulk load"));
  ASSERT_TRUE(control("t", LoadControl::kPause));
  let_go();
  wait_until("t", [](const auto& now) { return now.status == wire::BLS_PAUSED; });
  EXPECT_EQ(value_of(*table, 0), std::nullopt);
  servers_.restart();
  EXPECT_EQ(status_name(status("t")->status), "BLS_PAUSED");
  ASSERT_TRUE(control("t", LoadControl::kRestart));
  wait_for_success("t");
  table = client_.open_table("t");
  EXPECT_EQ(value_of(*table, 0), "loaded");
  EXPECT_EQ(client_.must(client::clear_load(client_.cluster(), "t", client_.deadline())),
            "clear app(t) bulk load result succeed, remove bulk load dir succeed");
  EXPECT_EQ(status_name(status("t")->status), "BLS_INVALID");
}

TEST_F(BulkLoadsTest, CancelledWhilePausedItLeavesNothing) {
  auto table = make_table("t");
  make_set(*table, "t", some_rows(0, 50, "loaded"));
  hold_at("load.file_downloaded");
  ASSERT_TRUE(start("t"));
  ASSERT_TRUE(control("t", LoadControl::kPause));
  let_go();
  wait_until("t", [](const auto& now) { return now.status == wire::BLS_PAUSED; });
  ASSERT_TRUE(control("t", LoadControl::kCancel));
  wait_until("t",
             [](const auto& now) { return now.status == wire::BLS_CANCELED && !now.is_loading; });
  EXPECT_FALSE(has_files_here());
  EXPECT_EQ(value_of(*table, 0), std::nullopt);
  ASSERT_TRUE(start("t")) << "and it may be loaded again";
  wait_for_success("t");
}

TEST_F(BulkLoadsTest, OneTableAtATimeUnlessTheOperatorAllowsMore) {
  auto one = make_table("one"), two = make_table("two");
  make_set(*one, "one", some_rows(0, 50, "loaded"));
  make_set(*two, "two", some_rows(0, 50, "loaded"));
  hold_at("load.file_downloaded");
  ASSERT_TRUE(start("one"));
  const auto refused = start("two");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kBusy);
  EXPECT_THAT(refused.error().message(), HasSubstr("meta server is busy now"));
  let_go();
  wait_for_success("one");
  ASSERT_TRUE(start("two"));
  wait_for_success("two");
}

TEST_F(BulkLoadsTest, SoManyPartitionsTakeFilesInAtOnceAsTheOperatorAllows) {
  auto table = make_table("t");
  make_set(*table, "t", some_rows(0, 50, "loaded"));
  set_of_meta("bulk_load_node_max_ingesting_count=1");
  ASSERT_TRUE(start("t"));
  wait_for_success("t");
  std::lock_guard lock(steps_mutex_);
  std::erase_if(steps_, [](const auto& step) {
    return step != "load.files_ingested" && step != "load.partition_ingested";
  });
  std::vector<std::string> in_turn;
  for (int i = 0; i < kPartitions; ++i)
    in_turn.insert(in_turn.end(), {"load.files_ingested", "load.partition_ingested"});
  EXPECT_EQ(steps_, in_turn);
}

// The nodes' rate limit and the simulated time make files arrive in pieces.
TEST_F(BulkLoadsTest, SoManyPartitionsDownloadAtOnceAsTheOperatorAllows) {
  auto table = make_table("t");
  Rows rows;
  std::mt19937_64 random(3);
  for (int row = 0; row < 48; ++row) {
    std::string data(512 << 10, '\0');
    std::ranges::generate(data, [&] { return char(random()); });
    rows[record::encode_key(hash_key(row), "s")] = stored(data);
  }
  make_set(*table, "t", rows);
  for (const auto& node : servers_.replica_addresses()) {
    const auto server = *net::parse_host_port(node.to_string());
    for (const auto& [command, value] :
         {std::pair("nfs.max_copy_rate_megabytes_per_disk", "5"),
          {"replica.max-concurrent-bulk-load-downloading-count", "1"}})
      client_.must(
          client::remote_command(client_.client(), server, command, {value}, client_.deadline()));
  }
  ASSERT_TRUE(start("t"));
  int64_t most = 0;
  wait_until("t", [&](const auto& now) {
    most = std::max(most, int64_t(std::ranges::count_if(now.partitions, [](const auto& one) {
                      const auto percent = one.replicas.at(0).percent;
                      return percent > 0 && percent < 99;
                    })));
    return now.status == wire::BLS_SUCCEED;
  });
  EXPECT_EQ(most, 1);
}

TEST_F(BulkLoadsTest, ADroppedTableEndsItsLoad) {
  auto table = make_table("t");
  make_set(*table, "t", some_rows(0, 50, "loaded"));
  hold_at("load.file_downloaded");
  ASSERT_TRUE(start("t"));
  client_.must(client_.cluster().drop_table("t", {}, client_.deadline()));
  let_go();
  auto other = make_table("other");
  make_set(*other, "other", some_rows(0, 50, "loaded"));
  for (const auto end = client_.deadline(); !start("other");)
    ASSERT_FALSE(end.passed(client_.clock())) << "the dropped table's load does not end";
  wait_for_success("other");
}

}  // namespace
}  // namespace pegmove::server::meta
