#include "metaproxy/config_file.h"

#include <gmock/gmock.h>

namespace pegmove::metaproxy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ConfigFileTest, ReadsTheOriginalsFile) {
  const auto file = parse_config_file(R"(
zookeeper:
  address: [127.0.0.1:22181, 127.0.0.2:22181]
  root: /pegasus-cluster
  timeout: 1000 # ms
  table_watcher_cache_capacity: 1024

metric:
  type: prometheus
  tags: [region=local_tst, service=meta_proxy]
)");
  ASSERT_TRUE(file) << file.error().to_string();
  EXPECT_THAT(file->zookeeper,
              ElementsAre(net::HostPort{"127.0.0.1", 22181}, net::HostPort{"127.0.0.2", 22181}));
  EXPECT_EQ(file->root, "/pegasus-cluster");
  EXPECT_EQ(file->session_timeout, async::milliseconds(1'000));
  EXPECT_EQ(file->most_routes, 1024);
  EXPECT_EQ(file->labels.at("region"), "local_tst");
  EXPECT_TRUE(file->notes.empty());
}

TEST(ConfigFileTest, EverythingMayBeMissing) {
  for (const auto* text : {"", "zookeeper:\n", "{}", "metric: {type: prometheus}"})
    EXPECT_TRUE(parse_config_file(text)) << text;
}

TEST(ConfigFileTest, WhatHasNoEffectIsNoted) {
  const auto file = parse_config_file("metric: {type: falcon}\nlog: {level: info}\n");
  ASSERT_TRUE(file);
  ASSERT_EQ(file->notes.size(), 2U);
  EXPECT_THAT(file->notes[0], HasSubstr("falcon"));
  EXPECT_THAT(file->notes[1], HasSubstr("log"));
}

TEST(ConfigFileTest, AWrongValueIsNamedWithItsLine) {
  for (const auto& [text, name] : std::vector<std::pair<const char*, const char*>>{
           {"zookeeper:\n  address: 10.0.0.1\n", "line 2: zookeeper.address"},
           {"zookeeper:\n  address: [10.0.0.1]\n", "zookeeper.address"},
           {"zookeeper: {root: pegasus}", "zookeeper.root"},
           {"zookeeper: {timeout: soon}", "zookeeper.timeout"},
           {"zookeeper: {timeout: 0}", "zookeeper.timeout"},
           {"zookeeper: {table_watcher_cache_capacity: [1]}", "table_watcher_cache_capacity"},
           {"metric: {type: statsd}", "metric.type"},
           {"metric: {tags: [a-b=c]}", "metric.tags"},
           {"metric: {tags: a=b}", "metric.tags"},
           {"zookeeper: [1]", "zookeeper must be"},
           {"- 1", "the file must be"},
           {"a: [", "not YAML"},
           {"? [1]\n: 2", "not YAML"}}) {
    const auto file = parse_config_file(text);
    ASSERT_FALSE(file) << text;
    EXPECT_EQ(file.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(file.error().to_string(), HasSubstr(name));
  }
}

}  // namespace
}  // namespace pegmove::metaproxy
