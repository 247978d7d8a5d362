// Two embedded clusters that duplicate a table to each other, in simulated time.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <random>
#include <thread>

#include "client/duplications.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::server::meta {
namespace {

using testing::TestClient;
using testing::TestCluster;

constexpr int kMutualPartitions = 2;
constexpr int kKeys = 8;
constexpr const char* kSortKeys[] = {"", "a", "b"};

// One of the two, with what its clients use.
class MutualSide {
 public:
  MutualSide(Clock& time, const std::string& name, std::atomic<int>& sent)
      : name_(name), cluster_(time, options(name, sent)) {}

  net::HostPort address() const {
    return *net::parse_host_port(cluster_.meta_address().to_string());
  }
  void ship_to(const MutualSide& other) {
    cluster_.set_clusters({{other.name_, {other.address()}}});
    cluster_.restart();
    table_ = client_.create_table("t", kMutualPartitions);
  }
  void add_duplication(const MutualSide& other) {
    client_.must(client::add_duplication(client_.cluster(), {.table = "t", .remote = other.name_},
                                         client_.deadline()));
  }
  // The last second's progress is not noted: what was shipped in it is shipped again.
  void restart() {
    cluster_.restart();
    table_ = client_.open_table("t");
  }
  TestClient& client() { return client_; }
  client::Table& table() { return *table_; }
  std::optional<std::string> value(const std::string& hash, const std::string& sort) {
    return client_.must(table_->get(hash, sort, client_.deadline())).value;
  }

 private:
  static testing::TestClusterOptions options(const std::string& name, std::atomic<int>& sent) {
    testing::TestClusterOptions options;
    options.name = name;
    options.duplication_group = {{"A", 1}, {"B", 2}};
    options.on_failpoint = [&sent](std::string_view point) {
      if (point == "duplication.request_sent") ++sent;
    };
    return options;
  }

  const std::string name_;
  TestCluster cluster_;
  TestClient client_{cluster_.meta_address()};
  std::shared_ptr<client::Table> table_;
};

class MutualDuplicationTest : public ::testing::TestWithParam<unsigned> {
 protected:
  MutualDuplicationTest() {
    a.ship_to(b);
    b.ship_to(a);
    a.add_duplication(b);
    b.add_duplication(a);
  }
  int any(int below) { return std::uniform_int_distribution(0, below - 1)(chance); }
  void write_to(MutualSide& side) {
    const auto hash = fmt::format("h{}", any(kKeys));
    const std::string sort = kSortKeys[any(3)];
    auto& client = side.client();
    const auto deadline = client.deadline();
    switch (any(4)) {
      case 0:
        client.must(side.table().del(hash, sort, deadline));
        model.erase({hash, sort});
        break;
      case 1:
        client.must(side.table().multi_del(hash, {"a", "b"}, deadline));
        model.erase({hash, "a"});
        model.erase({hash, "b"});
        break;
      default:
        const auto value = fmt::format("v{}", ++written);
        client.must(side.table().set(hash, sort, value, 0, deadline));
        model[{hash, sort}] = value;
    }
  }
  // The servers' time passes meanwhile: a question for another server's clock ends by its deadline.
  void restart(MutualSide& side) {
    std::jthread passing([this](const std::stop_token& stop) {
      for (; !stop.stop_requested(); std::this_thread::yield())
        time.advance(async::milliseconds(1));
    });
    side.restart();
  }
  // The first row that differs from what was written; empty: none does.
  std::string difference(MutualSide& side) {
    for (int key = 0; key < kKeys; ++key)
      for (const std::string sort : kSortKeys) {
        const auto hash = fmt::format("h{}", key);
        const auto found = model.find({hash, sort});
        const auto wanted = found == model.end() ? std::nullopt : std::optional(found->second);
        if (const auto value = side.value(hash, sort); value != wanted)
          return fmt::format("{}/{}: {}, not {}", hash, sort, value.value_or("no row"),
                             wanted.value_or("no row"));
      }
    return {};
  }
  // The servers' time passes meanwhile.
  void wait_until_equal() {
    for (auto* side : {&a, &b})
      for (const auto end = side->client().deadline();;) {
        const auto left = difference(*side);
        if (left.empty()) break;
        time.advance(async::milliseconds(20));
        if (end.passed(side->client().clock())) throw std::runtime_error(left);
      }
  }

  testing::SimClock time;
  std::atomic<int> sent = 0;  // DUPLICATE requests of both
  MutualSide a{time, "A", sent}, b{time, "B", sent};
  std::mt19937 chance{GetParam()};
  std::map<std::pair<std::string, std::string>, std::string> model;
  int written = 0;
};

// Also when either is started again and ships from any decree that was confirmed earlier.
TEST_P(MutualDuplicationTest, WithWritesOnOneSideAtATimeBothBecomeEqualAndQuiet) {
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(fmt::format("round {}", round));
    auto& side = any(2) == 0 ? a : b;
    const int restarts_at = any(60);  // or not at all
    for (int i = 0; i < 30; ++i) {
      write_to(side);
      if (any(4) == 0) time.advance(async::milliseconds(any(700)));
      if (i == restarts_at) restart(any(2) == 0 ? a : b);
    }
    ASSERT_NO_THROW(wait_until_equal());
  }
  // What was on its way when the rows were equal arrives; then an hour passes.
  const auto pass = [this](int minutes) {
    for (int minute = 0; minute < minutes; ++minute) {
      for (int second = 0; second < 60; ++second) time.advance(async::milliseconds(1'000));
      EXPECT_EQ(difference(minute % 2 == 0 ? a : b), "");
    }
  };
  pass(1);
  const int before = sent;
  EXPECT_GT(before, 0);
  pass(60);
  EXPECT_EQ(sent, before) << "something circles";
}

INSTANTIATE_TEST_SUITE_P(Seeds, MutualDuplicationTest, ::testing::Range(1u, 4u));

}  // namespace
}  // namespace pegmove::server::meta
