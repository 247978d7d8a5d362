// The threshold against a cluster whose costs are known, in simulated time.
#include "client/join_threshold.h"

#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <random>

namespace pegmove::client {
namespace {

using std::chrono::microseconds;

// Moves only when it is told to; nobody sleeps.
class Now : public Clock {
 public:
  async::Instant now() const override { return now_; }
  int64_t unix_us() const override { return 0; }
  Routine<> sleep_until(async::Instant) override { co_return; }
  void set(async::Instant now) { now_ = now; }

 private:
  async::Instant now_{};
};

// What requests cost a cluster, in microseconds, as measured on a real one.
struct Costs {
  double mutation = 250;  // each joined request
  double row = 2;         // of a joined request
  double put = 34;        // each row that is sent alone
};

// The cluster serves batches one after the other, and a writer keeps some of them in flight.
class Writer {
 public:
  explicit Writer(int lanes, Joins joins = Joins::kMeasured)
      : threshold(clock, joins), lanes_(lanes) {}

  // Writes batches with groups of these sizes; returns how long that takes.
  double write(int batches, const std::vector<size_t>& groups) {
    const auto start = clock.now();
    while (batches > 0 || !in_flight_.empty()) {
      for (; batches > 0 && int(in_flight_.size()) < lanes_; --batches) begin(groups);
      auto first = in_flight_.begin();
      clock.set(first->first);
      first->second->written();
      in_flight_.erase(first);
    }
    return std::chrono::duration<double>(clock.now() - start).count();
  }

  Now clock;
  Costs costs;
  double noise = 0;  // batches take up to so much more or less
  double stops = 0;  // the share of batches that the cluster stops in, for two seconds
  JoinThreshold threshold;

 private:
  void begin(const std::vector<size_t>& groups) {
    auto batch = std::make_unique<JoinThreshold::Batch>(threshold);
    double cost = 0;
    for (auto rows : groups)
      cost +=
          batch->joins(rows) ? costs.mutation + double(rows) * costs.row : double(rows) * costs.put;
    cost *= 1 + noise * (2 * chance() - 1);
    if (chance() < stops) cost += 2'000'000;
    free_at_ = std::max(free_at_, clock.now()) + microseconds(int64_t(cost));
    in_flight_.emplace(free_at_, std::move(batch));
  }
  double chance() { return double(random_()) / double(std::mt19937::max()); }

  const int lanes_;
  async::Instant free_at_{};
  std::multimap<async::Instant, std::unique_ptr<JoinThreshold::Batch>> in_flight_;
  std::mt19937 random_{1};
};

std::vector<size_t> groups_of(size_t rows) { return std::vector<size_t>(1000 / rows, rows); }

TEST(JoinThreshold, IsNearlyAsFastAsTheBetterWayForGroupsOfAnySize) {
  for (int lanes : {1, 16})
    for (size_t rows : {1, 2, 4, 10, 40, 200}) {
      SCOPED_TRACE(testing::Message() << rows << " rows, " << lanes << " lanes");
      Writer measured(lanes), joined(lanes, Joins::kAlways), alone(lanes, Joins::kNever);
      for (auto* writer : {&measured, &joined, &alone}) writer->noise = 0.3;
      const auto took = measured.write(5000, groups_of(rows));
      const auto better =
          std::min(joined.write(5000, groups_of(rows)), alone.write(5000, groups_of(rows)));
      EXPECT_LT(took, 1.06 * better);
    }
}

TEST(JoinThreshold, IsNotMuchSlowerFromTheStart) {
  for (int lanes : {1, 16})
    for (size_t rows : {1, 2, 4, 10, 40, 200}) {
      SCOPED_TRACE(testing::Message() << rows << " rows, " << lanes << " lanes");
      Writer measured(lanes), joined(lanes, Joins::kAlways), alone(lanes, Joins::kNever);
      const auto took = measured.write(200, groups_of(rows));
      const auto better =
          std::min(joined.write(200, groups_of(rows)), alone.write(200, groups_of(rows)));
      EXPECT_LT(took, 1.15 * better);
    }
}

// As in the embedded cluster, where a mutation costs next to nothing, and where it costs very much.
TEST(JoinThreshold, FindsThatFewRowsAreFasterJoinedOrManyAlone) {
  for (int lanes : {1, 16}) {
    Writer cheap(lanes), dear(lanes);
    cheap.costs.mutation = 10;
    cheap.write(1000, groups_of(2));
    EXPECT_EQ(cheap.threshold.used().joined_from, 2u);
    EXPECT_EQ(cheap.threshold.used().joined_share, 1);
    ASSERT_TRUE(cheap.threshold.used().last_trial);
    EXPECT_LT(cheap.threshold.used().last_trial->joined_to_alone, 0.7);
    dear.costs.mutation = 10'000;
    dear.write(3000, groups_of(40));
    EXPECT_EQ(dear.threshold.used().joined_share, 0);
    EXPECT_GT(dear.threshold.used().last_trial->joined_to_alone, 3);
  }
}

TEST(JoinThreshold, IsNotDisturbedByNoiseAndBatchesThatWait) {
  for (int lanes : {1, 16}) {
    Writer few(lanes), many(lanes);
    for (auto* writer : {&few, &many}) {
      writer->noise = 0.5;
      writer->stops = 0.002;
    }
    few.costs.mutation = 20;  // groups of 4 are faster joined
    few.write(6000, groups_of(4));
    EXPECT_GT(few.threshold.used().joined_share, 0.99);
    many.write(6000, groups_of(20));
    EXPECT_GT(many.threshold.used().joined_share, 0.99);
  }
}

TEST(JoinThreshold, FollowsAClusterThatChanges) {
  Writer writer(16);
  writer.write(500, groups_of(4));
  EXPECT_EQ(writer.threshold.used().joined_share, 0);
  writer.costs.mutation = 10;
  writer.write(3000, groups_of(4));
  EXPECT_EQ(writer.threshold.used().joined_share, 1);
  writer.costs.mutation = 250;
  writer.write(9000, groups_of(4));
  EXPECT_EQ(writer.threshold.used().joined_share, 0);
}

TEST(JoinThreshold, SendsSmallAndLargeGroupsEachTheirWay) {
  Writer writer(16);
  std::vector<size_t> groups(60, 2);
  groups.insert(groups.end(), 5, 200);
  writer.write(4000, groups);
  const auto used = writer.threshold.used();
  EXPECT_GT(used.joined_from, 2u);
  EXPECT_LE(used.joined_from, 128u);
  EXPECT_NEAR(used.joined_share, 1000.0 / 1120, 0.001);
}

TEST(JoinThreshold, TriesNothingWhereEveryRowHasAHashKeyOfItsOwn) {
  Writer writer(16);
  writer.write(5000, groups_of(1));
  EXPECT_FALSE(writer.threshold.used().last_trial);
  EXPECT_EQ(writer.threshold.used().rows_alone, 5'000'000);
  EXPECT_EQ(writer.threshold.used().rows_joined, 0);
}

// Tables begin with batches of ten rows, which take longer per row.
TEST(JoinThreshold, IsNotMisledBySmallBatches) {
  Writer writer(16);
  writer.costs.put = 500;
  writer.write(16, {4, 4, 2});
  writer.costs.put = 34;
  writer.write(300, groups_of(4));
  EXPECT_EQ(writer.threshold.used().joined_share, 0);
}

TEST(JoinThreshold, ChangesNothingWhenBatchesFailOrNeverEnd) {
  Now clock;
  JoinThreshold threshold(clock);
  JoinThreshold::Batch hangs(threshold);
  hangs.joins(4);
  for (int i = 0; i < 1000; ++i) {
    JoinThreshold::Batch fails(threshold);
    fails.joins(4);
    clock.set(clock.now() + microseconds(10'000));
  }
  EXPECT_EQ(threshold.used().rows_alone, 0);
  EXPECT_EQ(threshold.used().joined_from, 8u);
  for (int i = 0; i < 1000; ++i) {
    JoinThreshold::Batch written(threshold);
    for (int group = 0; group < 250; ++group) written.joins(4);
    clock.set(clock.now() + microseconds(10'000));
    written.written();
  }
  EXPECT_EQ(threshold.used().joined_from, 8u) << "no trial can be compared while that one hangs";
  EXPECT_GT(threshold.used().rows_joined, 0) << "but there are trials, which end";
  EXPECT_GT(threshold.used().rows_alone, 500'000);
}

TEST(JoinThreshold, CountsRowsAndRequests) {
  Now clock;
  JoinThreshold threshold(clock);
  {
    JoinThreshold::Batch batch(threshold);
    EXPECT_FALSE(batch.joins(1));
    EXPECT_FALSE(batch.joins(7));
    EXPECT_TRUE(batch.joins(8));
    EXPECT_TRUE(batch.joins(500));
    batch.written();
  }
  EXPECT_EQ(threshold.used().rows_alone, 8);
  EXPECT_EQ(threshold.used().rows_joined, 508);
  EXPECT_EQ(threshold.used().joined_requests, 2);
}

TEST(JoinThreshold, CanBeFixed) {
  for (auto joins : {Joins::kAlways, Joins::kNever}) {
    Writer writer(4, joins);
    writer.write(2000, groups_of(4));
    writer.write(2000, groups_of(200));
    EXPECT_EQ(writer.threshold.used().joined_share, joins == Joins::kAlways);
    EXPECT_EQ(writer.threshold.used().rows_joined, joins == Joins::kAlways ? 4'000'000 : 0);
    EXPECT_EQ(writer.threshold.used().joined_from.has_value(), joins == Joins::kAlways);
  }
}

TEST(JoinThreshold, DecidesTheSameEachTime) {
  std::vector<double> times;
  for (int i = 0; i < 2; ++i) {
    Writer writer(16);
    writer.noise = 0.4;
    times.push_back(writer.write(2000, groups_of(8)));
  }
  EXPECT_EQ(times[0], times[1]);
}

}  // namespace
}  // namespace pegmove::client
