#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "metrics/exposition.h"

namespace pegmove::metrics {
namespace {

using ::testing::HasSubstr;

constexpr MetricInfo kGets{"get_requests", Kind::kCounter, "Requests", "GET requests"};
constexpr MetricInfo kFiles{"files", Kind::kGauge, "Files", "files"};
constexpr MetricInfo kLatency{"get_latency_ns", Kind::kPercentile, "NanoSeconds", "how long"};
constexpr MetricInfo kFailures{"read_failed_requests", Kind::kCounter, "Requests", "failed"};

class Metrics : public ::testing::Test {
 protected:
  Metrics() {
    replica->counter(kGets).add(7);
    replica->gauge(kFiles).set(-2);
    replica->percentile(kLatency).record(100);
    server->counter(kFailures).add(3);
  }
  nlohmann::json json(const Filters& filters, const Fields& fields = brief_fields()) {
    return nlohmann::json::parse(to_json(source, 5, registry.snapshot(filters), fields));
  }
  std::vector<std::string> ids(const Filters& filters) {
    std::vector<std::string> found;
    for (const auto& entity : registry.snapshot(filters)) found.push_back(entity.id);
    return found;
  }

  Source source{.cluster = "a", .role = "replica", .host = "h", .port = 34801};
  Registry registry;
  std::shared_ptr<Entity> replica =
      registry.add("replica", "replica@1.0", {{"table_id", "1"}, {"partition_id", "0"}});
  std::shared_ptr<Entity> server = registry.add("server", "server", {});
};

using Ids = std::vector<std::string>;

TEST_F(Metrics, JsonHasAHeadAndBriefFields) {
  EXPECT_EQ(to_json(source, 5, registry.snapshot({.metrics = {"get_requests", "get_latency_ns"}}),
                    brief_fields()),
            R"({"cluster":"a","role":"replica","host":"h","port":34801,"timestamp_ns":5,)"
            R"("entities":[{"type":"replica","id":"replica@1.0","attributes":{"partition_id":"0",)"
            R"("table_id":"1"},"metrics":[{"name":"get_requests","value":7},)"
            R"({"name":"get_latency_ns","p50":100,"p90":100,"p95":100,"p99":100,"p999":100}]}]})");
}

TEST_F(Metrics, DetailTellsTypeUnitAndDescription) {
  auto metric = json({.metrics = {"files"}}, {})["entities"][0]["metrics"][0];
  EXPECT_EQ(metric, nlohmann::json::parse(R"({"type":"Gauge","name":"files","unit":"Files",
                                              "desc":"files","value":-2})"));
  auto named = json({.metrics = {"files"}}, {"name", "unit"})["entities"][0]["metrics"][0];
  EXPECT_EQ(named.dump(), R"({"name":"files","unit":"Files"})");
}

TEST_F(Metrics, FiltersChooseEntitiesAndMetrics) {
  EXPECT_EQ(ids({}), (Ids{"replica@1.0", "server"}));
  EXPECT_EQ(ids({.types = {"server"}}), Ids{"server"});
  EXPECT_EQ(ids({.ids = {"replica@1.0", "x"}}), Ids{"replica@1.0"});
  EXPECT_EQ(ids({.attributes = {{"table_id", "9"}, {"partition_id", "0"}}}), Ids{"replica@1.0"});
  EXPECT_EQ(ids({.attributes = {{"table_id", "9"}}}), Ids{});
  EXPECT_EQ(ids({.metrics = {"files"}}), Ids{"replica@1.0"}) << "nothing of the server is left";
  EXPECT_EQ(ids({.metrics = {"no_such_metric"}}), Ids{});
}

TEST_F(Metrics, AnOldNameAnswersWhenItIsAskedFor) {
  constexpr OldName kOld[] = {{"recent.read.fail.count", "server", "read_failed_requests"}};
  registry.add_old_names(kOld);
  EXPECT_EQ(json({.metrics = {"recent.read.fail.count"}})["entities"][0]["metrics"].dump(),
            R"([{"name":"recent.read.fail.count","value":3}])");
  EXPECT_EQ(json({.types = {"server"}})["entities"][0]["metrics"].size(), 1u) << "not in the list";
}

TEST_F(Metrics, AnEntityThatIsLetGoIsNotListed) {
  replica.reset();
  EXPECT_EQ(ids({}), Ids{"server"});
}

TEST_F(Metrics, TheSameNameIsTheSameMetric) {
  EXPECT_EQ(&replica->counter(kGets), &replica->counter(kGets));
  auto other = kGets;
  other.kind = Kind::kGauge;
  EXPECT_DEATH(replica->gauge(other), "a metric has one kind: get_requests");
}

TEST_F(Metrics, PrometheusTextNamesTypesAndLabels) {
  auto text = to_prometheus(source, registry.snapshot({}));
  EXPECT_THAT(text, HasSubstr("# TYPE pegasus_replica_get_requests counter\n"));
  EXPECT_THAT(text,
              HasSubstr("pegasus_replica_get_requests{cluster=\"a\",role=\"replica\",host=\"h\","
                        "port=\"34801\",id=\"replica@1.0\",partition_id=\"0\",table_id=\"1\"} 7"));
  EXPECT_THAT(text, HasSubstr("# TYPE pegasus_replica_get_latency_ns summary\n"));
  EXPECT_THAT(text, HasSubstr("quantile=\"0.99\"} 100"));
}

TEST(Percentile, ForgetsAllButTheLastSamples) {
  Percentile percentile;
  EXPECT_EQ(percentile.values(), (std::array<int64_t, 5>{}));
  for (int i = 0; i < 5000; ++i) percentile.record(1'000'000);
  for (int i = 1; i <= int(Percentile::kSamples); ++i) percentile.record(i);
  auto values = percentile.values();
  EXPECT_EQ(values[0], 513);
  EXPECT_EQ(values[3], 1014);
  EXPECT_EQ(values[4], 1023);
  EXPECT_EQ(percentile.count(), 6024);
}

TEST(Counter, CountsFromManyThreads) {
  Counter counter;
  Percentile percentile;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < 10'000; ++n) {
          counter.add();
          percentile.record(1);
        }
      });
  }
  EXPECT_EQ(counter.value(), 40'000);
  EXPECT_EQ(percentile.sum(), 40'000);
}

TEST(Gauge, RaisesOnly) {
  Gauge gauge;
  gauge.raise_to(5);
  gauge.raise_to(3);
  EXPECT_EQ(gauge.value(), 5);
}

}  // namespace
}  // namespace pegmove::metrics
