#include "inspect/server_answers.h"

#include <gmock/gmock.h>

namespace pegmove::inspect {
namespace {

using ::testing::HasSubstr;

TEST(ServerAnswers, AVersionIsReadFromItsBeginning) {
  auto version = parse_version(R"({"Version":"2.6.0-SNAPSHOT","GitCommit":"db756dcdf"})");
  ASSERT_TRUE(version) << version.error().to_string();
  EXPECT_EQ(version->text, "2.6.0-SNAPSHOT");
  EXPECT_TRUE(version->is_at_least(2, 6));
  EXPECT_TRUE(version->is_at_least(1, 12));
  EXPECT_FALSE(version->is_at_least(2, 7));
  EXPECT_FALSE(version->is_at_least(3, 0));
}

TEST(ServerAnswers, WhatIsNoVersionIsAnError) {
  for (const char* body :
       {"", "2.6", "[]", "{}", R"({"Version":6})", R"({"Version":""})", R"({"Version":"x.6"})",
        R"({"Version":"2"})", R"({"Version":"2."})", R"({"Version":"99999999999.1"})"})
    EXPECT_FALSE(parse_version(body)) << body;
}

// As configuration::dump of a real server writes it.
constexpr const char* kDump = R"([duplication-group]
; 
A = 1

; 
B = 2


[replication]
; The name of this cluster.
cluster_name = A

; 
dup_ignore_other_cluster_ids = true


[security]
; 
enable_acl = true

; 
keytab = /secret

)";

TEST(ServerAnswers, AConfigurationTellsTheDuplicationGroup) {
  auto config = parse_config_dump(kDump);
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->duplication_group, (std::map<std::string, int>{{"A", 1}, {"B", 2}}));
  EXPECT_EQ(config->cluster_name, "A");
  EXPECT_EQ(config->own_id(), 1);
  EXPECT_EQ(config->id_of("C"), std::nullopt);
  EXPECT_TRUE(config->ignores_other_ids);
  EXPECT_TRUE(config->enable_acl);
  EXPECT_FALSE(config->enable_ranger_acl);
}

TEST(ServerAnswers, TheNameForDuplicationGoesBeforeTheClusters) {
  auto config = parse_config_dump("[replication]\ncluster_name = A\ndup_cluster_name = X\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->cluster_name, "X");
  EXPECT_EQ(config->own_id(), std::nullopt);
}

TEST(ServerAnswers, OtherClustersHaveTheirMetaServers) {
  const auto config = parse_config_dump("[pegasus.clusters]\nB = b1:34601,b2:34601\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->clusters, (std::map<std::string, std::string>{{"B", "b1:34601,b2:34601"}}));
}

TEST(ServerAnswers, WhatIsNoConfigurationIsAnError) {
  EXPECT_FALSE(parse_config_dump(""));
  EXPECT_FALSE(parse_config_dump("unknown command 'config-dump'"));
  for (const char* id : {"0", "128", "x", "-1", ""}) {
    auto config = parse_config_dump(std::string("[duplication-group]\nA = ") + id + "\n");
    EXPECT_FALSE(config) << id;
  }
}

TEST(ServerAnswers, DataVersionsAreReadByPartition) {
  auto versions = parse_data_versions(R"({"0":{"data_version":"1"},"3":{"data_version":"0"}})");
  ASSERT_TRUE(versions) << versions.error().to_string();
  EXPECT_EQ(*versions, (std::map<int32_t, int>{{0, 1}, {3, 0}}));
  for (const char* body : {"[]", R"({"x":{"data_version":"1"}})", R"({"0":{"data_version":1}})",
                           R"({"0":"1"})", R"({"0":{}})"})
    EXPECT_FALSE(parse_data_versions(body)) << body;
}

TEST(ServerAnswers, MetricsTellTheClockAndASum) {
  auto answer = parse_metrics(
      R"({"cluster":"A","timestamp_ns":1700000000000001000,"entities":[)"
      R"({"type":"replica","metrics":[{"name":"incr_requests","value":3},{"name":"x","p99":1}]},)"
      R"({"type":"replica","metrics":[{"name":"check_and_set_requests","value":4}]}]})");
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(answer->timestamp_us, 1'700'000'000'000'001);
  EXPECT_EQ(answer->sum, 7);
  EXPECT_FALSE(parse_metrics(R"({"entities":[]})"));
  EXPECT_FALSE(parse_metrics(R"({"timestamp_ns":"1","entities":[]})"));
  EXPECT_FALSE(parse_metrics(R"({"timestamp_ns":1})"));
}

TEST(ServerAnswers, MetricsOfReplicasAreToldByPartition) {
  const auto answer = parse_partition_metrics(
      R"({"entities":[{"type":"replica","id":"replica@2.0",)"
      R"("attributes":{"partition_id":"0","table_id":"2"},)"
      R"("metrics":[{"name":"put_requests","value":3},{"name":"x","p99":1}]},)"
      R"({"type":"replica","attributes":{"partition_id":"7","table_id":"2"},)"
      R"("metrics":[{"name":"put_requests","value":4},{"name":"incr_requests","value":-1}]},)"
      R"({"type":"server","attributes":{},"metrics":[{"name":"y","value":9}]},1,)"
      R"({"attributes":{"partition_id":"-1"},"metrics":[{"name":"y","value":9}]}]})");
  ASSERT_TRUE(answer) << answer.error().to_string();
  EXPECT_EQ(*answer, (PartitionMetrics{{0, {{"put_requests", 3}}},
                                       {7, {{"put_requests", 4}, {"incr_requests", 0}}}}));
  EXPECT_FALSE(parse_partition_metrics(R"({"timestamp_ns":1})"));
  EXPECT_FALSE(parse_partition_metrics("no JSON"));
}

TEST(ServerAnswers, DuplicationsAreListedWithoutRemovedOnes) {
  auto list = parse_duplications(
      R"({"appid":2,"1":{"dupid":1,"remote":"B","status":"DS_LOG","remote_app_name":"u"},)"
      R"("2":{"dupid":2,"remote":"C","status":"DS_REMOVED"},"3":{"remote":"D","status":"DS_PAUSE"}})");
  ASSERT_TRUE(list) << list.error().to_string();
  ASSERT_EQ(list->size(), 2);
  EXPECT_EQ((*list)[0].remote, "B");
  EXPECT_EQ((*list)[0].remote_table, "u");
  EXPECT_EQ((*list)[1].remote_table, "");
  EXPECT_EQ((*list)[1].status, "DS_PAUSE");
  auto none = parse_duplications("null");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  EXPECT_FALSE(parse_duplications("x"));
  auto wrong = parse_duplications(R"({"1":{}})");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message(), HasSubstr("remote"));
}

}  // namespace
}  // namespace pegmove::inspect
