#include "migration/hot/serving.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::migration::hot {
namespace {

using async::Instant;
using async::milliseconds;
using ::testing::AllOf;
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
  client.must(table->get("h2", "s", client.deadline()));
  client.must(other->set("h", "s", "v", 0, client.deadline()));
  const auto now = look();
  EXPECT_EQ(now.writes - before.writes, 1);
  EXPECT_EQ(now.reads - before.reads, 2);
  EXPECT_EQ(now.failed_reads, before.failed_reads);
  EXPECT_EQ(now.failed_writes, before.failed_writes);
  EXPECT_EQ(now.silent, 0);
}

TEST(ServingMeter, KnowsTheRateAndWhatFailedSinceItBegan) {
  ServingMeter meter;
  EXPECT_EQ(meter.rate(), std::nullopt);
  meter.add(
      after(0),
      {.reads = 1000, .writes = 50, .failed_reads = 7, .failed_writes = 4, .refused_atomic = 3});
  EXPECT_EQ(meter.rate(), std::nullopt);
  meter.add(
      after(2000),
      {.reads = 1500, .writes = 70, .failed_reads = 9, .failed_writes = 5, .refused_atomic = 3});
  EXPECT_EQ(meter.rate(), (ServedRate{250, 10}));
  EXPECT_EQ(meter.failed_reads(), 2);
  EXPECT_EQ(meter.failed_writes(), 1);
  EXPECT_EQ(meter.refused_atomic(), 0);
}

TEST(ServingMeter, AServerThatRestartedCountsFromZero) {
  ServingMeter meter;
  meter.add(after(0), {.reads = 5, .writes = 1000, .failed_writes = 7});
  meter.add(after(1000), {.reads = 5, .writes = 10, .failed_writes = 1});
  EXPECT_EQ(meter.rate(), std::nullopt);
  EXPECT_EQ(meter.failed_writes(), 1);
}

TEST(ServingMeter, AReadingThatLacksAServerIsNotCompared) {
  ServingMeter meter;
  meter.add(after(0), {.reads = 1000});
  meter.add(after(1000), {.reads = 100, .silent = 1});
  meter.add(after(2000), {.reads = 1200});
  EXPECT_EQ(meter.rate(), (ServedRate{100, 0}));
}

TEST(ServingMeter, IsShownBesideWhatTheSourceServedBefore) {
  ServingMeter target;
  target.add(after(0), {});
  target.add(after(1000), {.reads = 1200, .writes = 34, .failed_writes = 2, .refused_atomic = 1});
  EXPECT_THAT(
      to_line(target, ServingMeter(), ServedRate{1250, 30}),
      AllOf(HasSubstr("target: 1,200 reads/s, 34 writes/s (source before the cutover: 1,250 "
                      "reads/s, 30 writes/s; now: ?)"),
            HasSubstr("read_failed_requests 0, write_failed_requests 2"),
            HasSubstr("dup_rejected_non_idempotent_write_requests: target 1, source 0")));
}

TEST(ServedRate, IsReadAsItWasWritten) {
  for (const auto& rate : {std::optional(ServedRate{7, 8}), std::optional<ServedRate>()}) {
    const auto read = served_rate_from_json(to_json(rate));
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(*read, rate);
  }
  EXPECT_FALSE(served_rate_from_json(""));
  EXPECT_FALSE(served_rate_from_json(R"({"reads_per_second":-1,"writes_per_second":0})"));
}

}  // namespace
}  // namespace pegmove::migration::hot
