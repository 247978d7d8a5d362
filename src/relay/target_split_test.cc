// A target whose partitions split while a relay forwards. As real servers do, it looks at one hash
// for a request of many entries: that in the header.
#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "relay/advanced_clock_test.h"
#include "relay/cluster_target.h"
#include "relay/lane.h"
#include "relay/shipped_requests_test.h"
#include "testing/fake_partition.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;
using ::testing::Each;
using ::testing::SizeIs;
using wire::ErrorCode;

class TargetSplitTest : public ::testing::Test {
 protected:
  TargetSplitTest() {
    server.unix_us = [] { return int64_t(1'000'000); };
    run(move_node());  // now with a clock
    server.on_data = [this](net::IncomingCall call) { answer(call); };
    target.start();
  }
  ~TargetSplitTest() override { run(close()); }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Routine<bool> move_node() { co_return co_await server.move_node(testing::kLoopback); }
  Routine<bool> close() {
    lane.end();
    target.stop();
    co_await client.close();  // no result
    co_await lane.join();     // no result
    co_await target.join();   // no result
    co_return co_await server.stop();
  }
  void answer(net::IncomingCall& call) {
    const auto index = call.head().gpid.partition_index;
    if (int64_t(call.head().partition_hash % uint64_t(serving)) != index)
      return call.reply(ErrorCode::kParentPartitionMisused);
    for (const auto& view : wire::decode_duplicate(call.body())->entries) {
      const auto code = wire::rpc_code_from_name(view.task_code);
      const auto hash = *shipping::key_hash_of(code, view.raw_message);
      is_found.push_back(record::partition_index(hash, serving) == index);
    }
    wire::duplicate_response response;
    response.__set_error(0);
    call.reply(ErrorCode::kOk, wire::encode_body(response));
  }
  static Task<> confirm() { co_return Result<void>(); }
  // Some seconds at most.
  bool until(const std::function<bool()>& is_so) {
    context.restart();
    const auto end = Deadline::in(system_clock, milliseconds(20'000));
    while (!is_so() && !end.passed(system_clock)) context.run_one();
    return is_so();
  }
  bool forward(const std::vector<Write>& writes) {
    answered.reset();
    lane.take(request_of(writes), [this](ErrorCode code) { answered = code; });
    return until([this] { return answered.has_value(); }) && answered == ErrorCode::kOk;
  }

  asio::io_context context;
  AdvancedClock clock;
  async::SystemClock system_clock;
  testing::FakePartition server{context.get_executor(), clock};
  client::Client client{context.get_executor(), clock};
  ClusterTarget target{context.get_executor(),
                       client,
                       {.cluster = "B",
                        .metas = {net::host_port_of(server.meta_address())},
                        .table = "u",
                        .app_id = 7},  // as the fake server's
                       Logger("test")};
  metrics::Entity entity{"relay", "relay@t", {}};
  RelayMetrics metrics{entity};
  Forwarding forwarding{.executor = context.get_executor(),
                        .clock = clock,
                        .target = target,
                        .metrics = metrics,
                        .is_sealed = [] { return false; },
                        .confirm = [] { return confirm(); }};
  Lane lane{forwarding, [] { return Result<int64_t>(1); }, Logger("test")};

  std::optional<ErrorCode> answered;
  int32_t serving = 1;         // how many partitions the servers tell apart
  std::vector<bool> is_found;  // of each entry that was written: by its key, then
  const std::string of_parent = key_in(0, 2), of_child = key_in(1, 2);
};

TEST_F(TargetSplitTest, EveryRowIsWrittenWhereItsKeyIsFound) {
  ASSERT_TRUE(forward({put(of_parent, "1"), put(of_child, "1")}));
  serving = server.partitions = 2;
  is_found.clear();
  ASSERT_TRUE(forward({put(of_child, "2", 2), put(of_parent, "2", 2)}));
  EXPECT_THAT(is_found, SizeIs(2));
  EXPECT_THAT(is_found, Each(true));
}

TEST_F(TargetSplitTest, IsNoticedWithoutARefusal) {
  ASSERT_TRUE(forward({put(of_parent, "1")}));
  server.partitions = 2;
  clock.advanced += milliseconds(5'000);
  EXPECT_TRUE(until([this] { return server.config_queries >= 2; }));
  int32_t count = 1;
  const auto end = Deadline::in(system_clock, milliseconds(20'000));
  while (count == 1 && !end.passed(system_clock)) count = run(target.partition_count()).value_or(1);
  EXPECT_EQ(count, 2);
}

TEST_F(TargetSplitTest, UntilAPartitionIsSplitOffItsParentIsAsked) {
  server.partitions = 2;
  server.is_being_split = true;
  ASSERT_TRUE(forward({put(of_child, "1"), put(of_parent, "1")}));
  EXPECT_THAT(is_found, SizeIs(2));
  serving = 2;
  server.is_being_split = false;
  is_found.clear();
  ASSERT_TRUE(forward({put(of_child, "2", 2), put(of_parent, "2", 2)}));
  EXPECT_THAT(is_found, SizeIs(2));
  EXPECT_THAT(is_found, Each(true));
}

}  // namespace
}  // namespace pegmove::relay
