// A duplication between embedded clusters whose tables have different partition counts, by a relay.
#include <gmock/gmock.h>

#include "async/context_thread.h"
#include "client/duplications.h"
#include "relay/advanced_clock_test.h"
#include "relay/cluster_target.h"
#include "relay/relay.h"
#include "testing/fake_nodes.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::relay {
namespace {

using pegmove::testing::SimClock;
using pegmove::testing::TestClient;
using pegmove::testing::TestCluster;
using pegmove::testing::TestClusterOptions;

constexpr int32_t kSourcePartitions = 4;
constexpr int32_t kTargetPartitions = 6;

// The wall time is that of the clusters.
class RelayClock : public AdvancedClock {
 public:
  explicit RelayClock(const Clock& wall) : wall_(wall) {}
  int64_t unix_us() const override { return wall_.unix_us(); }

 private:
  const Clock& wall_;
};

// A relay on a thread of its own.
class RelayThread {
 public:
  RelayThread(const Clock& wall, uint16_t port, net::Address target_meta, int32_t app_id,
              int32_t target_app_id, WriteMethod method)
      : clock_(wall) {
    thread_.wait_for(begin(port, target_meta, app_id, target_app_id, method));
    while (!thread_.wait_for(owns_all())) {
    }
    thread_.wait_for(wait_out());
  }
  ~RelayThread() { thread_.wait_for(end()); }

 private:
  Routine<> begin(uint16_t port, net::Address target_meta, int32_t app_id, int32_t target_app_id,
                  WriteMethod method) {
    const auto executor = thread_.executor();
    client_ = std::make_unique<client::Client>(executor, clock_, target_client_options());
    target_ = std::make_unique<ClusterTarget>(
        executor, *client_,
        ClusterTargetOptions{.cluster = "B",
                             .metas = {*net::parse_host_port(target_meta.to_string())},
                             .table = "u",
                             .app_id = target_app_id,
                             .method = method},
        Logger("test"));
    auto relay = Relay::listen(executor, clock_, nodes_, *target_,
                               {.listen = {0x7f000001, port},
                                .address = {"127.0.0.1", port},
                                .source = "A",
                                .table = "t",
                                .app_id = app_id,
                                .partitions = kSourcePartitions,
                                .target = "B",
                                .target_table = "u",
                                .target_app_id = target_app_id,
                                .root = "/pegmove/relay",
                                .method = method},
                               Logger("test"));
    if (!relay) throw std::runtime_error(relay.error().to_string());
    relay_ = *std::move(relay);
    nodes_.listen(&relay_->ownership());
    target_->start();
    relay_->start();
    co_return;
  }
  Routine<bool> owns_all() { co_return relay_->ownership().owned() == kSourcePartitions; }
  Routine<> wait_out() {
    clock_.advanced += kSuccessorsWait;
    co_return;
  }
  Routine<> end() {
    clock_.advanced += kSourceRepeats;
    co_await relay_->end();  // no result
    nodes_.listen(nullptr);
    target_->stop();
    co_await client_->close();  // no result
    co_await target_->join();   // no result
    relay_.reset();
    target_.reset();
    client_.reset();
  }

  RelayClock clock_;
  pegmove::testing::FakeNodes nodes_;
  async::ContextThread thread_;
  std::unique_ptr<client::Client> client_;
  std::unique_ptr<ClusterTarget> target_;
  std::unique_ptr<Relay> relay_;
};

class EmbeddedRelayTest : public ::testing::Test {
 protected:
  TestClusterOptions source_options() {
    return {.name = "A",
            .duplication_group = {{"A", 1}, {"R", 3}},
            .clusters = {{"R", {{"127.0.0.1", port}}}}};
  }
  void begin_relay(WriteMethod method = WriteMethod::kDuplicate) {
    relay = std::make_unique<RelayThread>(time, port, b.meta_address(), table->app_id(),
                                          copy->app_id(), method);
  }
  void add() {
    at_a.must(client::add_duplication(
        at_a.cluster(), {.table = "t", .remote = "R", .remote_table = "u"}, at_a.deadline()));
  }
  void write(int from, int to) {
    for (int i = from; i < to; ++i)
      at_a.must(table->set("h" + std::to_string(i), "s", std::to_string(i), 0, at_a.deadline()));
  }
  // Of row i at the target; empty: none.
  std::string value(int i) {
    return at_b.must(copy->get("h" + std::to_string(i), "s", at_b.deadline())).value.value_or("");
  }
  // The clusters' time passes until it is so.
  void wait_until(const std::function<bool()>& holds) {
    for (const auto end = at_a.deadline(); !holds();) {
      time.advance(async::milliseconds(20));
      if (end.passed(at_a.clock())) throw std::runtime_error("it does not happen");
    }
  }
  bool has_rows(int count) {
    for (int i = 0; i < count; ++i)
      if (value(i) != std::to_string(i)) return false;
    return true;
  }

  const uint16_t port = pegmove::testing::find_free_port();
  SimClock time;
  TestCluster b{time, {.name = "B", .duplication_group = {{"A", 1}, {"B", 2}}}};
  TestCluster a{time, source_options()};
  TestClient at_a{a.meta_address()};
  TestClient at_b{b.meta_address()};
  std::shared_ptr<client::Table> table = at_a.create_table("t", kSourcePartitions);
  std::shared_ptr<client::Table> copy = at_b.create_table("u", kTargetPartitions);
  std::unique_ptr<RelayThread> relay;
};

TEST_F(EmbeddedRelayTest, RowsOfAnotherPartitionCountAreFoundByTheirKeys) {
  begin_relay();
  add();
  write(0, 100);
  at_a.must(table->multi_set("m", {{"x", "1"}, {"y", "2"}}, 0, at_a.deadline()));
  wait_until([this] { return has_rows(100); });
  at_a.must(table->del("h7", "s", at_a.deadline()));
  at_a.must(table->set("h8", "s", "other", 0, at_a.deadline()));
  wait_until([this] { return value(7).empty() && value(8) == "other"; });
  EXPECT_EQ(at_b.must(copy->get("m", "y", at_b.deadline())).value, "2");
}

TEST_F(EmbeddedRelayTest, WhatIsWrittenWithoutARelayWaitsForOne) {
  begin_relay();
  add();
  write(0, 20);
  wait_until([this] { return has_rows(20); });
  relay.reset();
  write(20, 40);
  time.advance(async::milliseconds(2'000));
  EXPECT_EQ(value(39), "");
  begin_relay();
  wait_until([this] { return has_rows(40); });
}

TEST_F(EmbeddedRelayTest, PlainWritesArriveToo) {
  begin_relay(WriteMethod::kPlain);
  add();
  write(0, 30);
  wait_until([this] { return has_rows(30); });
}

}  // namespace
}  // namespace pegmove::relay
