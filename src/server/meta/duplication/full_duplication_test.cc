// Full duplications between two embedded clusters: the rows from before, and what is written since.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <set>

#include "client/duplications.h"
#include "duplication/failpoints.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::server::meta {
namespace {

using client::DuplicationStatus;
using testing::TestClient;
using testing::TestCluster;

constexpr int kFullPartitions = 4;

class FullDuplicationTest : public ::testing::Test {
 protected:
  void note(std::string_view point) {
    std::lock_guard lock(mutex);
    points.emplace(point);
  }
  testing::TestClusterOptions options(const std::string& name) {
    testing::TestClusterOptions options;
    options.name = name;
    options.duplication_group = {{"A", 1}, {"B", 2}};
    options.on_failpoint = [this](std::string_view point) { note(point); };
    if (name == "A")
      options.clusters = {{"B", {*net::parse_host_port(b.meta_address().to_string())}}};
    return options;
  }
  void write(const std::shared_ptr<client::Table>& table, int from, int to) {
    for (int i = from; i < to; ++i)
      at_a.must(table->set("h" + std::to_string(i), "s", std::to_string(i), 0, at_a.deadline()));
  }
  void add() {
    at_a.must(client::add_duplication(
        at_a.cluster(), {.table = "t", .remote = "B", .with_checkpoint = true}, at_a.deadline()));
  }
  client::Duplication duplication() {
    return at_a.must(client::table_duplications(at_a.cluster(), "t", at_a.deadline()))
        .duplications.at(0);
  }
  // The servers' time passes until it is so, by a step for each look.
  void wait_until(const std::function<bool()>& holds,
                  async::milliseconds step = async::milliseconds(20)) {
    for (const auto end = at_a.deadline(); !holds();) {
      time.advance(step);
      if (end.passed(at_a.clock()))
        throw std::runtime_error("it does not happen: " + duplication().waits_for);
    }
  }
  bool has_row(const std::shared_ptr<client::Table>& table, int i) {
    return at_b.must(table->get("h" + std::to_string(i), "s", at_b.deadline())).value ==
           std::to_string(i);
  }
  static std::vector<std::string> checkpoints_of(const TestCluster& cluster) {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cluster.data_dir()))
      if (entry.path().filename().string().starts_with("checkpoint")) found.push_back(entry.path());
    return found;
  }

  std::mutex mutex;  // guards points
  std::set<std::string, std::less<>> points;
  testing::SimClock time;
  TestCluster b{time, options("B")};
  TestCluster a{time, options("A")};
  TestClient at_a{a.meta_address()};
  TestClient at_b{b.meta_address()};
};

TEST_F(FullDuplicationTest, TheTargetHasTheRowsFromBeforeAndSince) {
  const auto table = at_a.create_table("t", kFullPartitions);
  write(table, 0, 50);
  add();
  write(table, 50, 100);
  wait_until([this] { return duplication().status == DuplicationStatus::kLog; });
  write(table, 100, 150);
  const auto copy = at_b.open_table("t");
  wait_until([&] {
    for (int i = 0; i < 150; ++i)
      if (!has_row(copy, i)) return false;
    return true;
  });
  wait_until([this] { return checkpoints_of(a).empty(); });
  std::lock_guard lock(mutex);
  for (const auto point : duplication::kFailpoints) EXPECT_TRUE(points.contains(point)) << point;
}

TEST_F(FullDuplicationTest, OfAnEmptyTableIsCompleteSoon) {
  at_a.create_table("t", kFullPartitions);
  const auto begin = time.now();
  add();
  // Requests take no simulated time, if a step of it is shorter than these looks take.
  const auto is_complete = [this] {
    for (int look = 0; look < 10; ++look)
      if (duplication().status == DuplicationStatus::kLog) return true;
    return false;
  };
  wait_until(is_complete, async::milliseconds(1));
  EXPECT_LT(time.now() - begin, std::chrono::seconds(2));
  EXPECT_TRUE(at_b.open_table("t"));
}

TEST_F(FullDuplicationTest, ContinuesAfterRestartsOfBoth) {
  const auto table = at_a.create_table("t", kFullPartitions);
  write(table, 0, 20);
  b.stop();
  add();
  write(table, 20, 40);
  a.restart();
  b.start();
  wait_until([this] { return duplication().status == DuplicationStatus::kLog; });
  a.restart();
  b.restart();
  const auto copy = at_b.open_table("t");
  wait_until([&] {
    for (int i = 0; i < 40; ++i)
      if (!has_row(copy, i)) return false;
    return true;
  });
}

TEST_F(FullDuplicationTest, ATableThatIsThereIsRefused) {
  const auto table = at_a.create_table("t", kFullPartitions);
  at_b.create_table("t", kFullPartitions);
  add();
  wait_until([this] { return duplication().waits_for.contains("it is there already"); });
  EXPECT_EQ(duplication().status, DuplicationStatus::kPrepare);
}

// An earlier duplication that was removed has left it: its envs are those that this one wants.
TEST_F(FullDuplicationTest, ATableThatAnEarlierOneHasBegunIsRefused) {
  const auto table = at_a.create_table("t", kFullPartitions);
  write(table, 0, 20);
  at_b.must(at_b.cluster().create_table(
      "t",
      {.partition_count = kFullPartitions,
       .replica_count = 1,
       .envs = {{"duplication.master_cluster", "A"},
                {"duplication.master_metas", a.meta_address().to_string()},
                {"duplication.master_app_name", "t"},
                {"duplication.follower_app_status", "creating"}}},
      at_b.deadline()));
  add();
  wait_until([this] { return duplication().waits_for.contains("it is there already"); });
  EXPECT_EQ(duplication().status, DuplicationStatus::kPrepare);
  at_b.must(at_b.cluster().drop_table("t", 1000, at_b.deadline()));
  wait_until([this] { return duplication().status == DuplicationStatus::kLog; });
  const auto copy = at_b.open_table("t");
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(has_row(copy, i)) << i;
}

}  // namespace
}  // namespace pegmove::server::meta
