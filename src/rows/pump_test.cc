#include "rows/pump.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <random>
#include <set>

#include "async/event.h"
#include "async/run.h"
#include "async/task_group.h"

namespace pegmove::rows {
namespace {

using Keys = std::vector<std::string>;

// A batch whose rows have these keys and values of `value_size` bytes.
RowBatch make_batch(const Keys& keys, size_t value_size) {
  std::string bytes;
  for (const auto& key : keys) bytes += key + std::string(value_size, 'v');
  RowBatch batch{SharedBytes::own(std::move(bytes)), {}};
  auto rest = batch.bytes.view;
  for (const auto& key : keys) {
    batch.rows.push_back({rest.substr(0, key.size()), rest.substr(key.size(), value_size), 0});
    rest.remove_prefix(key.size() + value_size);
  }
  return batch;
}

Routine<> let_others_run(int times) {
  for (int i = 0; i < times; ++i)
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);  // no result
}

// How long the fakes take, in turns of the executor.
class Turns {
 public:
  explicit Turns(uint32_t seed, int most = 5) : random_(seed), most_(most) {}
  int next() { return std::uniform_int_distribution(0, most_)(random_); }

 private:
  std::mt19937 random_;
  int most_;
};

// In memory: lanes of batches of keys. Keys begin with the number of their lane and a slash.
class FakeSource : public RowSource {
 public:
  explicit FakeSource(std::vector<std::vector<Keys>> lanes) : lanes_(std::move(lanes)) {}

  int lanes() const override { return int(lanes_.size()); }
  std::unique_ptr<Lane> open_lane(int index, std::string after) override;

  size_t value_size = 3;
  Turns turns{1};
  std::map<int, size_t> fails_at;            // lane -> the batch that cannot be read
  std::function<void(int, size_t)> on_read;  // before a lane's batch is read

  std::map<int, int> opened;  // lane -> how often
  int open = 0, most_open = 0;
  int reads = 0;  // batches that have been asked for
  int rows_read = 0;

 private:
  friend class FakeLane;
  std::vector<std::vector<Keys>> lanes_;
};

class FakeLane : public Lane {
 public:
  FakeLane(FakeSource& source, int index) : source_(source), index_(index) {
    ++source_.opened[index];
    source_.most_open = std::max(source_.most_open, ++source_.open);
  }
  ~FakeLane() override { --source_.open; }

  Task<std::optional<RowBatch>> next() override {
    EXPECT_FALSE(std::exchange(reading_, true)) << "two reads of a lane at once";
    ++source_.reads;
    if (source_.on_read) source_.on_read(index_, next_);
    co_await let_others_run(source_.turns.next());  // no result
    reading_ = false;
    if (auto bad = source_.fails_at.find(index_);
        bad != source_.fails_at.end() && bad->second == next_)
      co_return fail(Code::kCorrupt, "unreadable");
    const auto& batches = source_.lanes_[size_t(index_)];
    if (next_ == batches.size()) co_return std::nullopt;
    const auto& keys = batches[next_++];
    source_.rows_read += int(keys.size());
    co_return make_batch(keys, source_.value_size);
  }

 private:
  FakeSource& source_;
  int index_;
  size_t next_ = 0;
  bool reading_ = false;
};

std::unique_ptr<Lane> FakeSource::open_lane(int index, std::string) {
  return std::make_unique<FakeLane>(*this, index);
}

class FakeSink : public RowSink {
 public:
  Task<WriteCounts> write(const RowBatch& batch) override {
    EXPECT_FALSE(batch.rows.empty());
    auto lane = lane_of(batch);
    EXPECT_TRUE(writing_lanes_.insert(lane).second) << "two writes of lane " << lane << " at once";
    ++writing;
    bytes += batch.size();
    most_bytes = std::max(most_bytes, bytes);
    most_writing_beside_huge = std::max(most_writing_beside_huge, bytes > limit ? writing : 0);
    if (held) co_await released.wait();     // no result
    co_await let_others_run(turns.next());  // no result
    bytes -= batch.size();
    --writing;
    writing_lanes_.erase(lane);
    for (const auto& row : batch.rows) {
      if (row.key == refuses) co_return fail(Code::kRefused, "will not");
      by_lane[lane].emplace_back(row.key);
      ++rows;
    }
    co_return WriteCounts{.written = int64_t(batch.rows.size())};
  }

  Turns turns{2};
  bool held = false;  // writes wait for `released`
  async::Event released;
  std::string refuses = "-";  // key
  int64_t limit = INT64_MAX;

  std::map<int, Keys> by_lane;
  int rows = 0, writing = 0;
  int64_t bytes = 0, most_bytes = 0;
  int most_writing_beside_huge = 0;  // writes at once while there were more bytes than `limit`

 private:
  static int lane_of(const RowBatch& batch) {
    return std::stoi(std::string(batch.rows.front().key));
  }

  std::set<int> writing_lanes_;
};

std::vector<std::vector<Keys>> make_lanes(int lanes, int batches, int rows) {
  std::vector<std::vector<Keys>> out(static_cast<size_t>(lanes));
  for (int lane = 0; lane < lanes; ++lane)
    for (int batch = 0; batch < batches; ++batch) {
      auto& keys = out[size_t(lane)].emplace_back();
      for (int row = 0; row < rows; ++row)
        keys.push_back(std::to_string(lane) + "/" + std::to_string(batch * rows + row));
    }
  return out;
}

std::map<int, Keys> keys_by_lane(const std::vector<std::vector<Keys>>& lanes) {
  std::map<int, Keys> out;
  for (size_t lane = 0; lane < lanes.size(); ++lane)
    for (const auto& batch : lanes[lane])
      for (const auto& key : batch) out[int(lane)].push_back(key);
  return out;
}

// A pump on its way, which the test can look at between the turns of its executor.
class PumpTest : public ::testing::Test {
 protected:
  void start(FakeSource& source, PumpOptions options = {}) {
    pump = std::make_unique<Pump>(source, sink, stop, options);
    asio::co_spawn(context, pump->run(), [this](std::exception_ptr broken, Result<void> value) {
      ASSERT_FALSE(broken);
      result = std::move(value);
    });
    go_on();
  }
  // Runs until everybody waits for something the test must do.
  void go_on() {
    context.restart();
    context.poll();
  }
  // Lets all writes that are held, and those to come, pass.
  void let_go() {
    sink.held = false;
    sink.released.notify_all();
    go_on();
  }
  Result<void> run(FakeSource& source, PumpOptions options = {}) {
    start(source, options);
    EXPECT_TRUE(result) << "the pump waits for ever";
    EXPECT_EQ(source.open, 0);
    EXPECT_EQ(sink.writing, 0);
    return result.value_or(fail(Code::kInternal, "no result"));
  }

  std::vector<int64_t> lane_rows() const {
    std::vector<int64_t> rows;
    for (const auto& lane : pump->progress().lanes) rows.push_back(lane.rows);
    return rows;
  }
  std::vector<bool> lanes_done() const {
    std::vector<bool> done;
    for (const auto& lane : pump->progress().lanes) done.push_back(lane.done);
    return done;
  }

  asio::io_context context;
  FakeSink sink;
  async::StopSignal stop;
  std::unique_ptr<Pump> pump;
  std::optional<Result<void>> result;
};

TEST_F(PumpTest, NothingToMoveIsSuccess) {
  FakeSource source({});
  EXPECT_TRUE(run(source));
  EXPECT_EQ(pump->progress().rows, 0);
  EXPECT_EQ(pump->progress().lanes_done, 0);
}

TEST_F(PumpTest, EmptyLanesAndEmptyBatchesDoNotReachTheSink) {
  FakeSource source({{}, {{}, {}}, {{}, {"2/0"}, {}, {}, {"2/1"}, {}}, {}});
  EXPECT_TRUE(run(source));
  EXPECT_EQ(sink.by_lane, (std::map<int, Keys>{{2, {"2/0", "2/1"}}}));
  EXPECT_EQ(pump->progress().lanes_done, 4);
  EXPECT_EQ(lanes_done(), std::vector<bool>(4, true));
  EXPECT_EQ(lane_rows(), (std::vector<int64_t>{0, 0, 2, 0}));
}

TEST_F(PumpTest, EmptyRowsAreRows) {
  FakeSource source({{{"0", "0"}}});
  source.value_size = 0;
  EXPECT_TRUE(run(source, {.most_bytes_in_flight = 1}));
  EXPECT_EQ(sink.rows, 2);
}

TEST_F(PumpTest, OpensEachLaneOnceAndNoMoreAtOnceThanAllowed) {
  FakeSource source(make_lanes(20, 3, 2));
  EXPECT_TRUE(run(source, {.lanes_at_once = 3}));
  EXPECT_EQ(source.most_open, 3);
  EXPECT_EQ(source.opened.size(), 20u);
  for (const auto& [lane, times] : source.opened) EXPECT_EQ(times, 1) << lane;
  EXPECT_EQ(sink.rows, 120);
}

TEST_F(PumpTest, WorksOnOneLaneAtLeast) {
  FakeSource source(make_lanes(2, 3, 2));
  EXPECT_TRUE(run(source, {.lanes_at_once = 0}));
  EXPECT_EQ(sink.rows, 12);
}

TEST_F(PumpTest, AHugeBatchPassesAlone) {
  auto lanes = make_lanes(4, 5, 2);
  lanes[2][3] = {"2/" + std::string(5000, 'x')};
  FakeSource source(lanes);
  sink.limit = 30;
  EXPECT_TRUE(run(source, {.most_bytes_in_flight = 30}));
  EXPECT_EQ(sink.by_lane, keys_by_lane(lanes));
  EXPECT_EQ(sink.most_bytes, 5005);
  EXPECT_EQ(sink.most_writing_beside_huge, 1);
}

TEST_F(PumpTest, ReadsOneBatchAheadWhileTheLastIsWritten) {
  FakeSource source(make_lanes(1, 10, 1));
  sink.held = true;
  start(source);
  EXPECT_EQ(sink.writing, 1);
  EXPECT_EQ(source.reads, 2);
  EXPECT_EQ(pump->progress().rows, 0);
  sink.released.notify_all();
  go_on();
  EXPECT_EQ(sink.writing, 1);
  EXPECT_EQ(source.reads, 3);
  EXPECT_EQ(pump->progress().rows, 1);
  EXPECT_FALSE(result);
  let_go();
  EXPECT_TRUE(result && *result);
  EXPECT_EQ(sink.rows, 10);
}

TEST_F(PumpTest, ProgressCountsWhatIsWrittenByLane) {
  FakeSource source({{{"0/0", "0/1"}, {"0/2"}}, {{"1/0"}}});
  sink.held = true;
  start(source);
  EXPECT_EQ(pump->progress().rows, 0);
  EXPECT_EQ(pump->progress().bytes, 0);
  EXPECT_EQ(lane_rows(), (std::vector<int64_t>{0, 0}));
  sink.released.notify_all();
  go_on();
  EXPECT_EQ(pump->progress().rows, 3);
  EXPECT_EQ(pump->progress().bytes, 18);
  EXPECT_EQ(lane_rows(), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(lanes_done(), (std::vector<bool>{false, true}));
  EXPECT_EQ(pump->progress().lanes_done, 1);
  let_go();
  EXPECT_EQ(pump->progress().rows, 4);
  EXPECT_EQ(pump->progress().lanes_done, 2);
}

TEST_F(PumpTest, AReadErrorStopsTheOthersAndNamesItsLane) {
  FakeSource source(make_lanes(8, 1000, 1));
  source.fails_at = {{2, 5}};
  auto moved = run(source, {.lanes_at_once = 4});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code(), Code::kCorrupt);
  EXPECT_EQ(moved.error().to_string(), "partition 2: unreadable");
  EXPECT_LT(source.reads, 200);
  EXPECT_EQ(source.opened.size(), 4u);
  EXPECT_EQ(source.rows_read, sink.rows) << "what had been read was written";
}

TEST_F(PumpTest, AWriteErrorStopsTheOthersAndNamesItsLane) {
  FakeSource source(make_lanes(8, 1000, 2));
  sink.refuses = "1/9";
  auto moved = run(source, {.lanes_at_once = 4});
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code(), Code::kRefused);
  EXPECT_EQ(moved.error().to_string(), "partition 1: will not");
  EXPECT_LT(source.reads, 200);
  EXPECT_EQ(pump->progress().lanes[1].rows, 8) << "a batch counts when all of it is written";
}

TEST_F(PumpTest, AnErrorInTheLastBatchIsNotLost) {
  FakeSource source(make_lanes(3, 4, 2));
  sink.refuses = "2/7";
  EXPECT_EQ(run(source).error().to_string(), "partition 2: will not");
  EXPECT_FALSE(pump->progress().lanes[2].done);
}

TEST_F(PumpTest, TheFirstOfSeveralErrorsIsTold) {
  FakeSource source(make_lanes(4, 100, 1));
  source.turns = Turns(1, 0);
  sink.turns = Turns(1, 0);
  source.fails_at = {{0, 50}, {3, 7}, {1, 8}};
  EXPECT_EQ(run(source).error().to_string(), "partition 3: unreadable");
}

TEST_F(PumpTest, AnErrorFreesTheMemoryThatOthersWaitFor) {
  FakeSource source(make_lanes(10, 3, 1));
  sink.refuses = "4/1";
  EXPECT_EQ(run(source, {.lanes_at_once = 10, .most_bytes_in_flight = 6}).error().to_string(),
            "partition 4: will not");
}

TEST_F(PumpTest, StopFinishesWhatIsBeingWrittenAndReadsNoMore) {
  FakeSource source(make_lanes(5, 100, 2));
  sink.held = true;
  start(source, {.lanes_at_once = 3});
  EXPECT_EQ(sink.writing, 3);
  auto reads = source.reads;
  stop.request();
  go_on();
  EXPECT_FALSE(result) << "writes are under way";
  let_go();
  ASSERT_TRUE(result);
  ASSERT_FALSE(*result);
  EXPECT_EQ(result->error().code(), Code::kInterrupted);
  EXPECT_EQ(source.reads, reads);
  EXPECT_EQ(source.opened.size(), 3u);
  EXPECT_EQ(sink.rows, source.rows_read);
  EXPECT_EQ(pump->progress().rows, sink.rows);
  EXPECT_EQ(pump->progress().lanes_done, 0);
}

TEST_F(PumpTest, AStopBeforeTheBeginningReadsNothing) {
  FakeSource source(make_lanes(5, 100, 2));
  stop.request();
  EXPECT_EQ(run(source).error().code(), Code::kInterrupted);
  EXPECT_EQ(source.reads, 0);
}

TEST_F(PumpTest, AnErrorAfterTheStopIsTold) {
  FakeSource source(make_lanes(1, 100, 1));
  sink.held = true;
  sink.refuses = "0/0";
  start(source);
  stop.request();
  let_go();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->error().to_string(), "will not");
}

// Any lanes, batches, options and speeds: every row arrives, in order, within the bounds.
class RandomPumpTest : public PumpTest, public ::testing::WithParamInterface<uint32_t> {
 protected:
  int any(int least, int most) { return std::uniform_int_distribution(least, most)(random_); }

  std::vector<std::vector<Keys>> any_lanes() {
    std::vector<std::vector<Keys>> lanes(size_t(any(0, 12)));
    for (size_t lane = 0; lane < lanes.size(); ++lane) {
      int number = 0;
      for (int batch = any(0, 8); batch > 0; --batch) {
        auto& keys = lanes[lane].emplace_back();
        for (int row = any(0, 5); row > 0; --row)
          keys.push_back(std::to_string(lane) + "/" + std::to_string(number++));
      }
    }
    return lanes;
  }

 private:
  std::mt19937 random_{GetParam()};
};

TEST_P(RandomPumpTest, EveryRowArrivesInOrderWithinTheBounds) {
  auto lanes = any_lanes();
  FakeSource source(lanes);
  source.value_size = size_t(any(0, 20));
  source.turns = Turns(GetParam(), any(0, 6));
  sink.turns = Turns(GetParam() + 1, any(0, 6));
  PumpOptions options{.lanes_at_once = any(1, 6), .most_bytes_in_flight = any(1, 200)};
  sink.limit = options.most_bytes_in_flight;
  ASSERT_TRUE(run(source, options));
  auto expected = keys_by_lane(lanes);
  EXPECT_EQ(sink.by_lane, expected);
  EXPECT_LE(source.most_open, options.lanes_at_once);
  EXPECT_LE(sink.most_writing_beside_huge, 1) << "beside a huge batch nothing is written";
  const auto& progress = pump->progress();
  EXPECT_EQ(progress.rows, sink.rows);
  EXPECT_EQ(progress.lanes_done, int(lanes.size()));
  for (size_t lane = 0; lane < lanes.size(); ++lane)
    EXPECT_EQ(progress.lanes[lane].rows, int64_t(expected[int(lane)].size()));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPumpTest, ::testing::Range(0u, 300u));

}  // namespace
}  // namespace pegmove::rows
