#include "server/replica/replica_metrics.h"

#include <gtest/gtest.h>

#include "testing/sim_clock.h"

namespace pegmove::server::replica {
namespace {

using wire::ErrorCode;
using wire::RpcCode;

class ReplicaMetricsTest : public ::testing::Test {
 protected:
  void answer(RpcCode code, ErrorCode error, size_t request_bytes = 0, size_t reply_bytes = 0) {
    wire::RequestHead head;
    replica.answered({.head = head,
                      .code = code,
                      .error = error,
                      .request_bytes = request_bytes,
                      .reply_bytes = reply_bytes,
                      .since = clock.now() - async::milliseconds(3)});
  }
  // The value of a metric; the median of a percentile.
  int64_t value(const std::string& name) {
    auto entities = registry.snapshot({.metrics = {name}});
    if (entities.empty()) return -1;
    const auto& metric = entities[0].metrics[0];
    return metric.info.kind == metrics::Kind::kPercentile ? metric.percentiles[0] : metric.value;
  }

  testing::SimClock clock;
  metrics::Registry registry;
  std::shared_ptr<metrics::Entity> server = registry.add("server", "server", {});
  std::shared_ptr<NodeMetrics> node = std::make_shared<NodeMetrics>(*server, Logger("test"));
  ReplicaMetrics replica{registry, {1, 2}, node, clock};
};

TEST_F(ReplicaMetricsTest, CountsRequestsBytesAndTime) {
  answer(RpcCode::kGet, ErrorCode::kOk, 10, 5000);
  answer(RpcCode::kScan, ErrorCode::kOk, 10, 20);
  answer(RpcCode::kGetScanner, ErrorCode::kOk, 10, 20);
  answer(RpcCode::kPut, ErrorCode::kOk, 100, 20);
  EXPECT_EQ(value("get_requests"), 1);
  EXPECT_EQ(value("get_bytes"), 5000);
  EXPECT_EQ(value("get_latency_ns"), 3'000'000);
  EXPECT_EQ(value("scan_requests"), 2);
  EXPECT_EQ(value("put_bytes"), 100);
  EXPECT_EQ(value("read_capacity_units"), 4);
  EXPECT_EQ(value("write_capacity_units"), 1);
  EXPECT_EQ(value("committed_requests"), 1);
}

TEST_F(ReplicaMetricsTest, ErrorsAreCountedForTheNode) {
  answer(RpcCode::kGet, ErrorCode::kBusy);
  answer(RpcCode::kTtl, ErrorCode::kInvalidParameters);
  answer(RpcCode::kIncr, ErrorCode::kInvalidState);
  answer(RpcCode::kPut, ErrorCode::kBusy);
  EXPECT_EQ(value("read_busy_requests"), 1);
  EXPECT_EQ(value("read_failed_requests"), 1);
  EXPECT_EQ(value("write_busy_requests"), 1);
  EXPECT_EQ(value("write_failed_requests"), 1);
  EXPECT_EQ(value("get_requests"), 0);
  EXPECT_EQ(value("incr_requests"), 0);
}

TEST_F(ReplicaMetricsTest, CountsWhatThrottlesDo) {
  using enum Admission::Kind;
  replica.count_throttled({}, false, RpcCode::kGet);
  replica.count_throttled({.pause = async::milliseconds(1)}, false, RpcCode::kGet);
  replica.count_throttled({.kind = kRefuse, .error = ErrorCode::kBusy}, false, RpcCode::kPut);
  replica.count_throttled({.kind = kDrop, .error = ErrorCode::kBusy}, true, RpcCode::kGet);
  replica.count_throttled({.kind = kRefuse, .error = ErrorCode::kInvalidState}, false,
                          RpcCode::kPut);
  EXPECT_EQ(value("throttling_delayed_read_requests"), 1);
  EXPECT_EQ(value("throttling_rejected_write_requests"), 1);
  EXPECT_EQ(value("throttling_rejected_backup_requests"), 1);
  EXPECT_EQ(value("throttling_rejected_read_requests"), 0);
}

TEST_F(ReplicaMetricsTest, EveryCodeHasAPlace) {
  for (int code = 0; code <= int(RpcCode::kNegotiation); ++code)
    answer(RpcCode(code), ErrorCode::kOk);
  EXPECT_EQ(value("scan_requests"), 3);
}

}  // namespace
}  // namespace pegmove::server::replica
