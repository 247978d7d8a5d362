#include "migration/hot/hot_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "routes/route.h"

namespace pegmove::migration::hot {
namespace {

using async::milliseconds;
using testing::HasSubstr;

HotRequest full_request() {
  return {.source =
              {.metas = "10.0.0.1:34601", .table = "t", .name = "A", .id = 7, .cluster = "onebox"},
          .target = {.metas = "10.0.1.1:34601",
                     .table = "u",
                     .name = "B",
                     .cluster = "onebox2",
                     .is_embedded = true},
          .zookeeper = "10.0.0.9:2181",
          .zk_root = "/pegasus-cluster",
          .proxies = {"10.0.2.1:34601", "10.0.2.2:34601"},
          .no_direct_clients = true,
          .restart_within = milliseconds(60'000),
          .ships_per_second = 700,
          .ships_in_batches = true,
          .replica_count = 2,
          .cuts_over_alone = true,
          .fence = FenceKind::kWrites,
          .order = Order::kRoutesFirst,
          .max_write_hold = milliseconds(9000),
          .most_lag = 7,
          .opens_source = true,
          .drops_source = true,
          .drops_target = true,
          .other = {.partitions = 16,
                    .relay = "relayB",
                    .relay_back = "relayA",
                    .relay_root = "/relays",
                    .store = "disk",
                    .path = "moves",
                    .split_path = "moves/split",
                    .limits = {.units_at_once = 3, .work_folder = "/tmp/x"}},
          .timeout = milliseconds(1234)};
}

TEST(HotRequest, ReadsWhatItWrote) {
  const auto text = to_json(full_request());
  const auto read = hot_request_from_json(text);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(to_json(*read), text);
  EXPECT_EQ(read->target.table, "u");
  EXPECT_TRUE(read->target.is_embedded);
  EXPECT_EQ(read->source.id, 7);
  EXPECT_TRUE(read->opens_source);
  EXPECT_EQ(read->fence, FenceKind::kWrites);
  EXPECT_EQ(read->order, Order::kRoutesFirst);
  EXPECT_EQ(read->proxies.size(), 2u);
  EXPECT_TRUE(read->no_direct_clients);
  EXPECT_EQ(read->restart_within, milliseconds(60'000));
  EXPECT_EQ(read->ships_per_second, 700);
  EXPECT_TRUE(read->ships_in_batches);
  EXPECT_EQ(read->other.partitions, 16);
  EXPECT_EQ(read->other.limits.units_at_once, 3);
  EXPECT_TRUE(read->has_relay());
  EXPECT_TRUE(read->has_way_back());
}

TEST(HotRequest, ReadsAJournalFromBeforeRelays) {
  auto json = nlohmann::json::parse(to_json(full_request()));
  json.erase("other_count");
  const auto read = hot_request_from_json(json.dump());
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_FALSE(read->has_relay());
  EXPECT_TRUE(read->has_way_back()) << "by a duplication";
}

TEST(HotRequest, ReadsAJournalFromBeforeItsLoadWasMeasured) {
  auto json = nlohmann::json::parse(to_json(full_request()));
  for (const char* name :
       {"no_direct_clients", "restart_within_ms", "ships_per_second", "ships_in_batches"})
    EXPECT_EQ(json.erase(name), 1u) << name;
  const auto read = hot_request_from_json(json.dump());
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_FALSE(read->no_direct_clients);
  EXPECT_FALSE(read->waits_for_restart());
  EXPECT_EQ(read->ships_per_second, kShippedPerSecond);
  EXPECT_FALSE(read->ships_in_batches);
}

TEST(HotRequest, WhereTablesAreComparedUnderTheFenceItDeniesWritesAlone) {
  HotRequest request{.fence = FenceKind::kAll};
  EXPECT_EQ(request.first_fence(), FenceKind::kAll);
  request.ships_in_batches = true;
  EXPECT_EQ(request.first_fence(), FenceKind::kWrites);
}

TEST(HotRequest, TheRootOfZooKeeperIsReadAsItWasWritten) {
  auto request = full_request();
  request.zk_root = *routes::check_root("/");
  const auto read = hot_request_from_json(to_json(request));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->zk_root, request.zk_root);
}

TEST(HotRequest, NamesTheFieldThatIsWrong) {
  const auto good = nlohmann::json::parse(to_json(full_request()));
  const auto error_with = [&](const char* field, nlohmann::json value) {
    auto json = good;
    json[field] = std::move(value);
    auto read = hot_request_from_json(json.dump());
    return read ? std::string() : read.error().message();
  };
  EXPECT_THAT(error_with("fence", "reads"), HasSubstr("'fence' must be all or writes"));
  EXPECT_THAT(error_with("order", "x"), HasSubstr("'order' must be fence-first or routes-first"));
  EXPECT_THAT(error_with("source", 1), HasSubstr("'source'"));
  EXPECT_THAT(error_with("proxies", nlohmann::json::array({1})), HasSubstr("'proxies'"));
  EXPECT_THAT(error_with("max_write_hold_ms", -1), HasSubstr("'max_write_hold_ms'"));
  EXPECT_THAT(error_with("zk_root", "no slash"), HasSubstr("no slash"));
  auto other = good["other_count"];
  other["partitions"] = 0;
  EXPECT_THAT(error_with("other_count", other), HasSubstr("without a partition count"));
  other["partitions"] = 16;
  other["relay_root"] = "no slash";
  EXPECT_THAT(error_with("other_count", other), HasSubstr("no slash"));
  EXPECT_FALSE(hot_request_from_json("not JSON"));
}

TEST(HotRequest, ARealClusterNeedsLongerThanItsEnvsTake) {
  EXPECT_EQ(usual_write_hold(true, FenceKind::kAll), milliseconds(5'000));
  EXPECT_EQ(least_write_hold(false, FenceKind::kAll), milliseconds(75'000));
  EXPECT_EQ(usual_write_hold(false, FenceKind::kAll), milliseconds(90'000));
  EXPECT_EQ(usual_write_hold(false, FenceKind::kWrites), milliseconds(120'000));
  EXPECT_EQ(env_delay(true), milliseconds(0));
}

}  // namespace
}  // namespace pegmove::migration::hot
