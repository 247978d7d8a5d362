#include "client/row_groups.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <deque>
#include <map>

#include "async/run.h"
#include "record/key.h"
#include "testing/fake_partition.h"

namespace pegmove::client {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using wire::ErrorCode;

// Every row is a request of its own. The node takes as many requests as the test expects at once,
// then answers all of them.
class RowGroupsTest : public ::testing::Test {
 protected:
  RowGroupsTest() {
    server.on_data = [this](net::IncomingCall call) { take(std::move(call)); };
    table = *run(Table::open(std::make_shared<Cluster>(client, metas()), "t", soon()));
  }
  ~RowGroupsTest() override {
    kept.clear();
    table.reset();
    run(close());
    run(server.stop());
  }
  Routine<bool> close() {
    co_await client.close();  // no result
    co_return true;
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  std::vector<net::HostPort> metas() {
    return {*net::parse_host_port(server.meta_address().to_string())};
  }
  Deadline soon() { return Deadline::in(clock, async::milliseconds(5'000)); }

  void add(const std::string& hash_key, std::string value) {
    auto& key = keys.emplace_back(record::encode_key(hash_key, "s"));
    rows.push_back({key, values.emplace_back(std::move(value)), 0});
  }
  Result<void> write() { return run(write_rows(*table, 0, rows, 1, soon())); }

  void take(net::IncomingCall call) {
    auto put = wire::decode_put(call.body());
    ASSERT_TRUE(put);
    auto hash_key = std::string(record::split_key(put->key)->hash_key);
    sent.push_back(hash_key + "=" + std::string(put->value));
    kept.push_back(std::move(call));
    if (answers.empty() || kept.size() < answers.front().size()) return;
    for (size_t i = 0; i < kept.size(); ++i) {
      if (answers.front()[i] == ErrorCode::kOk) {
        auto row = *wire::decode_put(kept[i].body());
        stored[std::string(record::split_key(row.key)->hash_key)] = row.value;
        testing::FakePartition::acknowledge(kept[i]);
      } else {
        kept[i].reply(answers.front()[i]);
      }
    }
    kept.clear();
    answers.pop_front();
    sent_before.push_back(std::exchange(sent, {}));
  }

  asio::io_context context;
  async::SystemClock clock;
  testing::FakePartition server{context.get_executor(), clock};
  Client client{context.get_executor(), clock};
  std::shared_ptr<Table> table;
  std::deque<std::string> keys, values;
  std::vector<RawRow> rows;
  // The answers to the requests that come next, which are in flight together.
  std::deque<std::vector<ErrorCode>> answers;
  std::vector<net::IncomingCall> kept;
  std::vector<std::string> sent;
  std::vector<std::vector<std::string>> sent_before;  // by what was in flight together
  std::map<std::string, std::string> stored;
};

TEST_F(RowGroupsTest, OnlyWhatFailedIsSentAgainAndAllOfItAtOnce) {
  std::vector<ErrorCode> first(100, ErrorCode::kOk);
  for (size_t i = 0; i < 100; ++i) add("h" + std::to_string(i), "v" + std::to_string(i));
  for (size_t i : {0, 7, 42}) first[i] = ErrorCode::kBusy;
  answers = {first, {ErrorCode::kOk, ErrorCode::kOk, ErrorCode::kOk}};
  auto written = write();
  ASSERT_TRUE(written) << written.error().to_string();
  ASSERT_EQ(sent_before.size(), 2u);
  EXPECT_THAT(sent_before[1], UnorderedElementsAre("h0=v0", "h7=v7", "h42=v42"));
  EXPECT_EQ(stored.size(), 100u);
}

TEST_F(RowGroupsTest, ALaterRowOfTheSameKeyIsSentAgainBehindTheOneThatFailed) {
  add("a", "1");
  add("b", "1");
  add("a", "2");
  add("c", "1");
  add("a", "3");
  answers = {{ErrorCode::kBusy, ErrorCode::kOk, ErrorCode::kOk, ErrorCode::kBusy, ErrorCode::kOk},
             {ErrorCode::kOk, ErrorCode::kOk},
             {ErrorCode::kOk},
             {ErrorCode::kOk}};
  auto written = write();
  ASSERT_TRUE(written) << written.error().to_string();
  ASSERT_EQ(sent_before.size(), 4u);
  EXPECT_THAT(sent_before[1], UnorderedElementsAre("a=1", "c=1"));
  EXPECT_THAT(sent_before[2], ElementsAre("a=2"));
  EXPECT_THAT(sent_before[3], ElementsAre("a=3"));
  EXPECT_EQ(stored["a"], "3");
}

TEST_F(RowGroupsTest, AnEarlierRowOfTheSameKeyIsNotSentAgain) {
  add("a", "1");
  add("a", "2");
  answers = {{ErrorCode::kOk, ErrorCode::kBusy}, {ErrorCode::kOk}};
  auto written = write();
  ASSERT_TRUE(written) << written.error().to_string();
  EXPECT_THAT(sent_before[1], ElementsAre("a=2"));
  EXPECT_EQ(stored["a"], "2");
}

}  // namespace
}  // namespace pegmove::client
