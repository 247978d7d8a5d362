// Scans of a whole table by the shell's commands, against an embedded cluster; time is the tests'.
#include "shell/splits.h"

#include <gmock/gmock.h>

#include <sstream>

#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::shell {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class OneCluster : public ClusterDirectory {
 public:
  explicit OneCluster(net::Address meta) : meta_(meta) {}
  Result<std::vector<net::HostPort>> metas_of(std::string_view) const override {
    return std::vector{*net::parse_host_port(meta_.to_string())};
  }

 private:
  net::Address meta_;
};

class SplitsTest : public ::testing::Test {
 protected:
  SplitsTest() {
    testing::TestClient owner(cluster_.meta_address());
    auto table = owner.create_table("t", 2);
    for (int hash = 0; hash < 10; ++hash) {
      std::vector<client::SortValue> rows;
      for (int sort = 0; sort < 100; ++sort) rows.push_back({std::to_string(sort), "v"});
      owner.must(table->multi_set("h" + std::to_string(hash), rows, 0, owner.deadline()));
    }
    owner.must(table->set("", "no hash key", "v", 0, owner.deadline()));
    if (auto connected = session_.connect("cluster"); !connected)
      throw std::runtime_error(connected.error().to_string());
    session_.execute("use t");
    err_.str("");
  }
  ~SplitsTest() override {
    session_.forget_table();
    async::run_to_end(context_, [](client::Client& client) -> Routine<bool> {
      co_await client.close();  // no result
      co_return true;
    }(client_));
  }

  bool execute(std::string_view line) {
    out_.str("");
    err_.str("");
    return session_.execute(line);
  }
  static Task<> no_more(Error error) { co_return fail(std::move(error)); }
  static Task<> go_on() { co_return Result<void>(); }

  testing::SimClock server_clock_;
  testing::TestCluster cluster_{server_clock_};
  asio::io_context context_;
  testing::SimClock clock_;
  client::Client client_{context_.get_executor(), clock_};
  OneCluster clusters_{cluster_.meta_address()};
  std::ostringstream out_, err_;
  Session session_{context_, client_, clusters_, out_, err_};
};

TEST_F(SplitsTest, ALineASecondTellsHowFarItHasCome) {
  SplitArguments arguments{.batch_size = 100};
  SplitRun run(session_, *session_.table(), arguments);
  run.note = [] { return std::string(" (noted)"); };
  std::vector<int64_t> seconds;
  run.each_second = [&](int64_t second) { seconds.push_back(second); };
  int batches = 0;
  auto result = session_.run(run.run({}, [&](size_t split, client::ScanBatch batch) {
    run.rows()[split] += batch.count;
    if (batches++ % 5 == 0 && batches < 10) clock_.advance(std::chrono::seconds(1));
    return go_on();
  }));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(run.total(), 1001);
  EXPECT_THAT(seconds, ElementsAre(1, 2));
  EXPECT_THAT(err_.str(), HasSubstr("INFO: processed for 1 seconds, ("));
  EXPECT_THAT(err_.str(), HasSubstr(" rows (noted), last second "));
  EXPECT_FALSE(run.ran_out_of_time());
}

TEST_F(SplitsTest, EndsInGoodOrderWhenItsTimeIsOver) {
  SplitArguments arguments{.batch_size = 2};
  SplitRun run(session_, *session_.table(), arguments);
  run.run_seconds = 3;
  auto result = session_.run(run.run({}, [&](size_t split, client::ScanBatch batch) {
    run.rows()[split] += batch.count;
    clock_.advance(std::chrono::milliseconds(500));
    return go_on();
  }));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_TRUE(run.ran_out_of_time());
  EXPECT_GT(run.total(), 0);
  EXPECT_LT(run.total(), 1001);
  EXPECT_THAT(err_.str(), Not(HasSubstr("error")));
}

TEST_F(SplitsTest, OneFailureEndsAllAndIsSaidOnce) {
  SplitArguments arguments{.batch_size = 10};
  SplitRun run(session_, *session_.table(), arguments);
  run.taking = "async del failed";
  auto result = session_.run(run.run(
      {}, [&](size_t, client::ScanBatch) { return no_more(Error(Code::kTimeout, "too late")); }));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kTimeout);
  EXPECT_THAT(err_.str(), ::testing::MatchesRegex(
                              "ERROR: split\\[.\\] async del failed: timeout .too late.\n"));
}

TEST_F(SplitsTest, ARequestToStopEndsIt) {
  SplitArguments arguments;
  SplitRun run(session_, *session_.table(), arguments);
  session_.stop_signal().request();
  auto result = session_.run(run.run({}, [](size_t, client::ScanBatch) { return go_on(); }));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kInterrupted);
}

TEST_F(SplitsTest, HashKeysAreCountedOnceOverManyBatches) {
  ASSERT_TRUE(execute("count_data -c -d -b 7")) << err_.str();
  EXPECT_EQ(out_.str(), "Count done, total 1001 rows. (11 hash keys)\n");
}

TEST_F(SplitsTest, ClearingDeletesWhatTheFiltersLetThroughAndNothingElse) {
  ASSERT_TRUE(execute("clear_data -f -b 30 -h postfix -x 3")) << err_.str();
  EXPECT_EQ(out_.str(), "Clear done, total 100 rows.\n");
  ASSERT_TRUE(execute("count_data -c"));
  EXPECT_EQ(out_.str(), "Count done, total 901 rows.\n");
  ASSERT_TRUE(execute("clear_data -f -s exact -y 77")) << err_.str();
  EXPECT_EQ(out_.str(), "Clear done, total 9 rows.\n");
  ASSERT_TRUE(execute("clear_data -f")) << err_.str();
  EXPECT_EQ(out_.str(), "Clear done, total 892 rows.\n");  // with the row without a hash key
  ASSERT_TRUE(execute("count_data -c"));
  EXPECT_EQ(out_.str(), "Count done, total 0 rows.\n");
}

TEST_F(SplitsTest, ARangeIsDeletedInSeveralRequests) {
  ASSERT_TRUE(execute("multi_del_range h5 \"\" \"\" -i")) << err_.str();
  EXPECT_EQ(out_.str(), "OK, 100 sort keys deleted.\n");
  ASSERT_TRUE(execute("multi_set h5 a 1"));
  ASSERT_TRUE(execute("multi_del_range h5 a a -b true")) << err_.str();
  EXPECT_EQ(out_.str(), "Deleted: \"a\"\n\nOK, 1 sort keys deleted.\n");
}

}  // namespace
}  // namespace pegmove::shell
