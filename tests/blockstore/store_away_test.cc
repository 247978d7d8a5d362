// A store that goes away in the middle of a backup, a restore and a load: the cluster waits for it,
// says so, and goes on by itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "blockstore/digest.h"
#include "blockstore/provider.h"
#include "bulk_load_types.h"
#include "client/backups.h"
#include "client/bulk_loads.h"
#include "client/node.h"
#include "testing/fault_proxy.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"
#include "tests/blockstore/stores.h"

namespace pegmove::conformance {
namespace {

using ::testing::HasSubstr;

constexpr const char* kGoldenSet = "tests/golden/bulk-load";  // of table bl3, whose id is 4

class StoreAwayTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  void step(std::string_view name) {
    if (name == away_at_.load()) proxy_.faults().away = true;
  }
  void pass_time_until(const std::function<bool()>& holds, const std::string& what) {
    for (const auto end = client_.deadline(); !holds(); time_.advance(async::milliseconds(1'000)))
      if (end.passed(client_.clock())) throw std::runtime_error("in vain: until " + what);
  }
  // `told`: what the cluster says of it, as an operator sees it.
  void expect_waiting(const std::function<std::string()>& told) {
    pass_time_until([&] { return told().contains("waits: "); }, "it waits, and not: " + told());
    EXPECT_THAT(told(), HasSubstr("HTTP status 503"));
    away_at_ = "";
    proxy_.faults().away = false;
  }
  std::string remote_command(const std::string& command, int32_t app_id) {
    return client_.must(client::remote_command(
        client_.client(), *net::parse_host_port(servers_.meta_address().to_string()), command,
        {std::to_string(app_id)}, client_.deadline()));
  }

  void put_golden_set() {
    auto store = client_value(blockstore::open_store(provider_, time_));
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kGoldenSet)) {
      if (!entry.is_regular_file() || entry.path().filename().string().starts_with('.')) continue;
      const auto bytes = read_local(entry.path());
      auto upload =
          client_value(store->create(folder_ + "/" + relative(entry.path(), kGoldenSet).string()));
      ASSERT_TRUE(upload->append(bytes));
      ASSERT_TRUE(upload->finish(blockstore::md5_hex(bytes)));
    }
  }
  template <typename T>
  static T client_value(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().to_string());
    return *std::move(result);
  }

  pegmove::testing::FaultProxy proxy_{server_port(GetParam())};  // before its name node
  const std::string folder_ = "away-" + std::to_string(::getpid());
  const blockstore::Provider provider_{
      .name = "hdfs",
      .type = "hdfs_service",
      .args = "hdfs://unused/ user=root webhdfs=http://127.0.0.1:" + std::to_string(proxy_.port())};
  std::atomic<const char*> away_at_ = "";
  pegmove::testing::SimClock time_;
  pegmove::testing::TestCluster servers_{
      time_, {.providers = {{"hdfs", provider_}}, .on_failpoint = [this](std::string_view name) {
                step(name);
              }}};
  pegmove::testing::TestClient client_{servers_.meta_address()};
};

TEST_P(StoreAwayTest, ABackupAndARestoreWaitForIt) {
  auto table = client_.create_table("t", 2);
  for (int i = 0; i < 20; ++i)
    client_.must(table->set("h" + std::to_string(i), "s", "v", 0, client_.deadline()));
  auto& cluster = client_.cluster();

  away_at_ = "backup.checkpoint_made";
  const auto started =
      client_.must(client::start_backup(cluster, 1, "hdfs", "/" + folder_, client_.deadline()));
  expect_waiting([&] { return remote_command("backup.status", 1); });
  pass_time_until([&] { return remote_command("backup.status", 1).contains("\"done\""); },
                  "the backup is made");

  away_at_ = "restore.table_noted";
  const auto restored = client_.must(client::start_restore(cluster,
                                                           {.cluster = "test",
                                                            .backup_id = started.backup_id,
                                                            .table = "t",
                                                            .app_id = 1,
                                                            .new_table = "again",
                                                            .provider = "hdfs",
                                                            .path = "/" + folder_},
                                                           client_.deadline()));
  expect_waiting([&] { return remote_command("restore.status", restored); });
  pass_time_until([&] { return remote_command("restore.status", restored).contains("\"done\""); },
                  "the table is there");
  auto again = client_.open_table("again");
  EXPECT_EQ(client_.must(again->get("h7", "s", client_.deadline())).value, "v");
}

TEST_P(StoreAwayTest, ALoadWaitsForIt) {
  put_golden_set();
  for (const auto* name : {"one", "two", "three"}) client_.create_table(name, 4);
  auto table = client_.create_table("bl3", 4);
  auto& cluster = client_.cluster();
  away_at_ = "load.noted";
  client_.must(client::start_load(
      cluster, {.table = "bl3", .cluster = "oneboxB", .provider = "hdfs", .path = "/" + folder_},
      client_.deadline()));
  const auto status = [&] {
    return client_.must(client::load_status(cluster, "bl3", client_.deadline()));
  };
  expect_waiting([&] { return status().hint; });
  pass_time_until([&] { return status().status == wire::BLS_SUCCEED; }, "it is loaded");
  EXPECT_THAT(
      client_.must(table->get("k00000007", "s", client_.deadline())).value.value_or("(none)"),
      HasSubstr("loaded"));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreAwayTest);  // as a unit test there is no HDFS
INSTANTIATE_TEST_SUITE_P(Stores, StoreAwayTest, ::testing::ValuesIn(store_kinds_of({"hdfs"})),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pegmove::conformance
