#include "shell/metrics.h"

#include <gtest/gtest.h>

namespace pegmove::shell {
namespace {

// As a replica server answers it.
constexpr const char* kReply = R"({"cluster":"onebox","role":"replica","host":"node","port":34801,
"timestamp_ns":1795335319246000000,"entities":[
{"type":"server","id":"replica","attributes":{},"metrics":[{"name":"total_replicas","value":4}]},
{"type":"replica","id":"replica@1.2","attributes":{"partition_id":"2","table_id":"1"},
 "metrics":[{"name":"get_requests","value":17},{"name":"rdb_total_sst_size_mb","value":1.5},
            {"name":"get_latency_ns","p50":1,"p99":2}]}]})";

TEST(MetricsTarget, NamesWhatIsWanted) {
  EXPECT_EQ(metrics_target({.types = {"server", "replica"}, .names = {"a", "b"}}),
            "/metrics?with_metric_fields=name,value&types=server,replica&metrics=a,b");
  EXPECT_EQ(
      metrics_target(
          {.field = "p99", .types = {"profiler"}, .names = {"a"}, .attributes = {"table_id", "3"}}),
      "/metrics?with_metric_fields=name,p99&types=profiler&attributes=table_id,3&metrics=a");
}

TEST(ParseMetrics, ReadsEntitiesAndTheirNumbers) {
  auto sample = parse_metrics(kReply, "value");
  ASSERT_TRUE(sample) << sample.error().to_string();
  EXPECT_EQ(sample->role, "replica");
  EXPECT_EQ(sample->timestamp_ns, 1795335319246000000);
  ASSERT_EQ(sample->entities.size(), 2u);
  EXPECT_EQ(sample->entities[0].value("total_replicas"), 4);
  EXPECT_EQ(sample->entities[0].partition(), Gpid{});
  EXPECT_EQ(sample->entities[1].partition(), (Gpid{1, 2}));
  EXPECT_EQ(sample->entities[1].value("rdb_total_sst_size_mb"), 1.5);
  EXPECT_EQ(sample->entities[1].value("nothing"), 0);
  EXPECT_FALSE(sample->entities[1].values.contains("get_latency_ns")) << "of another kind";
  EXPECT_EQ(parse_metrics(kReply, "p99")->entities[1].value("get_latency_ns"), 2);
}

TEST(ParseMetrics, RefusesWhatIsNoSuchReply) {
  for (const char* bad :
       {"", "[]", "{}", "7", "null", R"({"entities":[]})", R"({"entities":{},"timestamp_ns":1})",
        R"({"entities":[],"timestamp_ns":"1"})", R"({"entities":[7],"timestamp_ns":1})",
        R"({"entities":[{"metrics":[7]}],"timestamp_ns":1})",
        R"({"entities":[{"metrics":[{"value":1}]}],"timestamp_ns":1})",
        R"({"entities":[{"metrics":[{"name":"a","value":"1"}]}],"timestamp_ns":1})"}) {
    auto sample = parse_metrics(bad, "value");
    ASSERT_FALSE(sample) << bad;
    EXPECT_EQ(sample.error().code(), Code::kProtocol) << bad;
  }
}

TEST(ParseMetrics, TakesNoPartitionFromWhatIsNoNumber) {
  for (const char* attributes :
       {R"("table_id":"x","partition_id":"0")", R"("table_id":"1")",
        R"("table_id":1,"partition_id":2)", R"("table_id":"-1","partition_id":"0")",
        R"("table_id":"99999999999","partition_id":"0")"}) {
    auto text = std::string(R"({"timestamp_ns":1,"entities":[{"metrics":[],"attributes":{)") +
                attributes + "}}]}";
    auto sample = parse_metrics(text, "value");
    ASSERT_TRUE(sample) << text;
    EXPECT_EQ(sample->entities[0].partition(), Gpid{}) << text;
  }
}

}  // namespace
}  // namespace pegmove::shell
