#include "migration/hot/serving.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::migration::hot {
namespace {

using async::Instant;
using async::milliseconds;
using ::testing::HasSubstr;

Instant after(int64_t ms) { return Instant(milliseconds(ms)); }

TEST(Serving, CountsTheTablesRequestsOnItsServers) {
  pegmove::testing::SimClock clock;
  pegmove::testing::TestCluster cluster(clock);
  pegmove::testing::TestClient client(cluster.meta_address());
  const auto table = client.create_table("t", 2);
  const auto other = client.create_table("u", 2);
  const auto look = [&] {
    return client.must(served_requests(client.cluster(), table->app_id(), client.deadline()));
  };
  const auto before = look();
  client.must(table->set("h", "s", "v", 0, client.deadline()));
  client.must(table->get("h", "s", client.deadline()));
  client.must(other->set("h", "s", "v", 0, client.deadline()));
  const auto now = look();
  EXPECT_EQ(now.requests - before.requests, 2);
  EXPECT_EQ(now.failed, before.failed);
  EXPECT_EQ(now.silent, 0);
}

TEST(ServingMeter, KnowsTheRateAndWhatFailedSinceItBegan) {
  ServingMeter meter;
  EXPECT_EQ(meter.per_second(), std::nullopt);
  meter.add(after(0), {.requests = 1000, .failed = 7, .refused_atomic = 3});
  EXPECT_EQ(meter.per_second(), std::nullopt);
  meter.add(after(2000), {.requests = 1500, .failed = 9, .refused_atomic = 3});
  EXPECT_EQ(meter.per_second(), 250);
  EXPECT_EQ(meter.failed(), 2);
  EXPECT_EQ(meter.refused_atomic(), 0);
}

TEST(ServingMeter, AServerThatRestartedCountsFromZero) {
  ServingMeter meter;
  meter.add(after(0), {.requests = 1000, .failed = 7});
  meter.add(after(1000), {.requests = 10, .failed = 1});
  EXPECT_EQ(meter.per_second(), std::nullopt);
  EXPECT_EQ(meter.failed(), 1);
}

TEST(ServingMeter, AReadingThatLacksAServerIsNotCompared) {
  ServingMeter meter;
  meter.add(after(0), {.requests = 1000});
  meter.add(after(1000), {.requests = 100, .silent = 1});
  meter.add(after(2000), {.requests = 1200});
  EXPECT_EQ(meter.per_second(), 100);
  EXPECT_THAT(to_line(meter, ServingMeter()), HasSubstr("target: 100 requests/s, source: ?"));
}

}  // namespace
}  // namespace pegmove::migration::hot
