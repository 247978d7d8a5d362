#include "server/meta/catalog/app_catalog.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/table_name.h"
#include "meta_types.h"
#include "server/meta/store/sim_files_test.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;

constexpr int64_t kNow = 1'800'000'000;

wire::configuration_create_app_request create_request(std::string name, int32_t partitions = 4,
                                                      int32_t replicas = 3) {
  wire::configuration_create_app_request request;
  request.app_name = std::move(name);
  request.options.partition_count = partitions;
  request.options.replica_count = replicas;
  request.options.app_type = "pegasus";
  request.options.is_stateful = true;
  return request;
}

wire::configuration_drop_app_request drop_request(std::string name) {
  wire::configuration_drop_app_request request;
  request.app_name = std::move(name);
  return request;
}

wire::configuration_update_app_env_request env_request(std::string name,
                                                       wire::app_env_operation op) {
  wire::configuration_update_app_env_request request;
  request.app_name = std::move(name);
  request.op = op;
  return request;
}

class AppCatalogTest : public testing::Test {
 protected:
  AppCatalogTest() { base::set_log_level(base::LogLevel::kOff); }

  // From disk.
  MetaStore& open_store() {
    auto store = MetaStore::open("/meta", disk_.files());
    EXPECT_TRUE(store) << store.error().to_string();
    stores_.push_back(std::move(*store));
    return *stores_.back();
  }
  AppCatalog open(int nodes = 3) {
    auto catalog = AppCatalog::open(open_store(), nodes);
    EXPECT_TRUE(catalog) << catalog.error().to_string();
    return std::move(*catalog);
  }
  std::string error_of_open(int nodes = 3) {
    auto catalog = AppCatalog::open(open_store(), nodes);
    return catalog ? "" : catalog.error().to_string();
  }
  MetaValues values() { return open_store().values(); }
  void write(const std::string& path, const std::string& value) {
    MetaBatch batch;
    batch.put(path, value);
    ASSERT_TRUE(open_store().commit(std::move(batch)));
  }

  SimDisk disk_;
  std::vector<std::unique_ptr<MetaStore>> stores_;  // opened in sequence
};

TEST_F(AppCatalogTest, CreatesATableWithTheNextId) {
  auto catalog = open();
  auto request = create_request("t", 8);
  request.options.envs["business.info"] = "x";
  const auto response = catalog.create(request, kNow);
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.appid, 1);
  EXPECT_EQ(catalog.create(create_request("u"), kNow).appid, 2);

  const auto* app = catalog.find("t");
  ASSERT_NE(app, nullptr);
  EXPECT_EQ(catalog.find_by_id(1), app);
  EXPECT_TRUE(app->info.status == wire::app_status::AS_AVAILABLE);
  EXPECT_EQ(app->info.app_id, 1);
  EXPECT_EQ(app->info.partition_count, 8);
  EXPECT_EQ(app->info.init_partition_count, 8);
  EXPECT_EQ(app->info.max_replica_count, 3);
  EXPECT_EQ(app->info.create_second, kNow);
  EXPECT_EQ(app->info.drop_second, 0);
  EXPECT_EQ(app->info.expire_second, 0);
  EXPECT_EQ(app->info.envs.at("business.info"), "x");
  ASSERT_EQ(app->partitions.size(), 8U);
  for (const auto& partition : app->partitions) EXPECT_EQ(partition.ballot, 1);
}

TEST_F(AppCatalogTest, PlacesPartitionsInBalance) {
  auto catalog = open(3);
  std::vector<int> total(3);
  for (const auto* name : {"a", "b", "c"}) {
    ASSERT_EQ(catalog.create(create_request(name, 4), kNow).err.code, ErrorCode::kOk);
    std::vector<int> of_table(3);
    for (const auto& partition : catalog.find(name)->partitions) {
      ++of_table.at(static_cast<size_t>(partition.node));
      ++total.at(static_cast<size_t>(partition.node));
    }
    for (const int count : of_table) EXPECT_TRUE(count == 1 || count == 2);
  }
  EXPECT_EQ(total, (std::vector<int>{4, 4, 4}));
}

TEST_F(AppCatalogTest, RefusesBadCreateRequests) {
  auto catalog = open();
  const auto expect_refused = [&](auto change) {
    auto request = create_request("t");
    change(request);
    const auto response = catalog.create(request, kNow);
    EXPECT_EQ(response.err.code, ErrorCode::kInvalidParameters);
    EXPECT_EQ(response.appid, 0);
  };
  expect_refused([](auto& r) { r.options.partition_count = 0; });
  expect_refused([](auto& r) { r.options.partition_count = -1; });
  expect_refused([](auto& r) { r.options.partition_count = kMaxPartitionCount + 1; });
  expect_refused([](auto& r) { r.options.replica_count = 0; });
  expect_refused([](auto& r) { r.options.replica_count = 4; });  // there are three nodes
  expect_refused([](auto& r) { r.options.replica_count = 6; });
  expect_refused([](auto& r) { r.options.envs["rocksdb.num_levels"] = "11"; });
  expect_refused([](auto& r) { r.options.envs["replica.deny_client_request"] = "none"; });
  expect_refused([](auto& r) { r.options.envs["x"] = "\xFF"; });
  expect_refused([](auto& r) { r.options.envs["x"] = std::string(kMaxEnvsSize, 'x'); });
  expect_refused([](auto& r) { r.options.app_type = "other"; });
  expect_refused([](auto& r) { r.app_name = ""; });
  expect_refused([](auto& r) { r.app_name = "a\nb"; });
  expect_refused([](auto& r) { r.app_name = "\xFF"; });
  expect_refused([](auto& r) { r.app_name = "a/b"; });
  expect_refused([](auto& r) { r.app_name = "a b"; });
  expect_refused([](auto& r) { r.app_name = ".."; });
  expect_refused([](auto& r) { r.app_name = "\xC3\xBC"; });
  expect_refused([](auto& r) { r.app_name = std::string(base::kMaxTableNameSize + 1, 'x'); });
  EXPECT_TRUE(catalog.apps().empty());
  EXPECT_TRUE(values().empty());
}

TEST_F(AppCatalogTest, AnswersForATableThatExists) {
  auto catalog = open();
  auto request = create_request("t");
  catalog.create(request, kNow);
  EXPECT_EQ(catalog.create(request, kNow).err.code, ErrorCode::kAppExist);

  request.options.success_if_exist = true;
  auto response = catalog.create(request, kNow);
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.appid, 1);

  auto other_replicas = request;
  other_replicas.options.replica_count = 1;
  EXPECT_EQ(catalog.create(other_replicas, kNow).err.code, ErrorCode::kInvalidParameters);

  auto other_count = request;
  other_count.options.partition_count = 8;
  EXPECT_EQ(catalog.create(other_count, kNow).err.code, ErrorCode::kInvalidParameters);
  auto other_envs = request;
  other_envs.options.envs["business.info"] = "x";
  EXPECT_EQ(catalog.create(other_envs, kNow).err.code, ErrorCode::kInvalidParameters);
  auto other_state = request;
  other_state.options.is_stateful = false;
  EXPECT_EQ(catalog.create(other_state, kNow).err.code, ErrorCode::kInvalidParameters);
}

TEST_F(AppCatalogTest, NegotiatesTheFollowerOfADuplication) {
  auto catalog = open();
  const auto ask = [&](const char* master, const char* status) {
    auto request = create_request("t");
    request.options.envs["duplication.master_cluster"] = master;
    if (status) request.options.envs["duplication.follower_app_status"] = status;
    return catalog.create(request, kNow).err.code;
  };
  const auto status = [&] {
    return catalog.find("t")->info.envs.at("duplication.follower_app_status");
  };
  EXPECT_EQ(ask("A", "creating"), ErrorCode::kOk);
  EXPECT_EQ(ask("A", "creating"), ErrorCode::kOk);
  EXPECT_EQ(ask("B", "creating"), ErrorCode::kAppExist);
  EXPECT_EQ(ask("A", nullptr), ErrorCode::kAppExist);
  EXPECT_EQ(ask("A", "x"), ErrorCode::kInvalidParameters);
  EXPECT_EQ(status(), "creating");
  EXPECT_EQ(ask("A", "created"), ErrorCode::kOk);
  EXPECT_EQ(status(), "created");
  EXPECT_EQ(ask("A", "created"), ErrorCode::kOk);
  EXPECT_EQ(ask("A", "creating"), ErrorCode::kAppExist);
  auto again = open();
  EXPECT_EQ(again.find("t")->info.envs.at("duplication.follower_app_status"), "created");
}

// Sources before 2.6 do not send the name.
TEST_F(AppCatalogTest, DistinguishesTheTablesThatFollowersAreOf) {
  auto catalog = open();
  const auto ask = [&](const char* table, const char* master_table) {
    auto request = create_request(table);
    request.options.envs["duplication.master_cluster"] = "A";
    request.options.envs["duplication.follower_app_status"] = "creating";
    if (master_table) request.options.envs["duplication.master_app_name"] = master_table;
    return catalog.create(request, kNow).err.code;
  };
  EXPECT_EQ(ask("t", "u"), ErrorCode::kOk);
  EXPECT_EQ(ask("t", "u"), ErrorCode::kOk);
  EXPECT_EQ(ask("t", "v"), ErrorCode::kAppExist);
  EXPECT_EQ(ask("t", nullptr), ErrorCode::kAppExist);
  EXPECT_EQ(ask("v", "v"), ErrorCode::kOk);
  EXPECT_EQ(ask("v", nullptr), ErrorCode::kOk);
}

TEST_F(AppCatalogTest, RefusesAFollowerOfATableWithoutStatus) {
  auto catalog = open();
  auto request = create_request("t");
  request.options.envs["duplication.master_cluster"] = "A";
  catalog.create(request, kNow);
  request.options.envs["duplication.follower_app_status"] = "creating";
  EXPECT_EQ(catalog.create(request, kNow).err.code, ErrorCode::kInvalidState);
}

TEST_F(AppCatalogTest, DropsATableAndFreesItsName) {
  auto catalog = open();
  catalog.create(create_request("t"), kNow);
  auto request = drop_request("t");
  request.options.__set_reserve_seconds(3600);
  EXPECT_EQ(catalog.drop(request, kNow + 5).err.code, ErrorCode::kOk);
  EXPECT_EQ(catalog.find("t"), nullptr);
  const auto* dropped = catalog.find_by_id(1);
  ASSERT_NE(dropped, nullptr);
  EXPECT_TRUE(dropped->info.status == wire::app_status::AS_DROPPED);
  EXPECT_EQ(dropped->info.drop_second, kNow + 5);
  EXPECT_EQ(dropped->info.expire_second, kNow + 3605);

  EXPECT_EQ(catalog.create(create_request("t"), kNow).appid, 2);
  EXPECT_EQ(catalog.find("t")->info.app_id, 2);
  auto again = open();
  EXPECT_EQ(again.find("t")->info.app_id, 2);
  EXPECT_EQ(again.find_by_id(1)->info.expire_second, kNow + 3605);
}

TEST_F(AppCatalogTest, ReservesAWeekUnlessToldOtherwise) {
  auto catalog = open();
  for (const int64_t reserve : {int64_t{0}, int64_t{-1}}) {
    const auto id = catalog.create(create_request("t"), kNow).appid;
    auto request = drop_request("t");
    request.options.__set_reserve_seconds(reserve);
    catalog.drop(request, kNow);
    EXPECT_EQ(catalog.find_by_id(id)->info.expire_second, kNow + 604800);
  }
  const auto id = catalog.create(create_request("t"), kNow).appid;
  auto request = drop_request("t");
  request.options.__set_reserve_seconds(std::numeric_limits<int64_t>::max());
  catalog.drop(request, kNow);
  EXPECT_EQ(catalog.find_by_id(id)->info.expire_second, std::numeric_limits<int64_t>::max());
}

TEST_F(AppCatalogTest, AnswersADropOfWhatIsNotThere) {
  auto catalog = open();
  auto request = drop_request("t");
  EXPECT_EQ(catalog.drop(request, kNow).err.code, ErrorCode::kAppNotExist);
  request.options.success_if_not_exist = true;
  EXPECT_EQ(catalog.drop(request, kNow).err.code, ErrorCode::kOk);
}

TEST_F(AppCatalogTest, NeverUsesAnIdAgain) {
  {
    auto catalog = open();
    catalog.create(create_request("a"), kNow);
    catalog.create(create_request("b"), kNow);
    catalog.drop(drop_request("b"), kNow);
    EXPECT_TRUE(catalog.forget(2));
    EXPECT_EQ(catalog.find_by_id(2), nullptr);
  }
  EXPECT_EQ(open().create(create_request("b"), kNow).appid, 3);
}

TEST_F(AppCatalogTest, ForgetsDroppedTablesOnly) {
  auto catalog = open();
  catalog.create(create_request("a"), kNow);
  EXPECT_EQ(catalog.forget(1).error().code(), Code::kRefused);
  EXPECT_EQ(catalog.forget(9).error().code(), Code::kNotFound);
  EXPECT_NE(catalog.find("a"), nullptr);
}

TEST_F(AppCatalogTest, RunsOutOfIds) {
  write("/apps", R"({"next_app_id": 2147483647, "meta_function_level": "lively"})");
  auto catalog = open();
  EXPECT_EQ(catalog.create(create_request("t"), kNow).err.code, ErrorCode::kInvalidState);
}

TEST_F(AppCatalogTest, KeepsChangedEnvs) {
  auto catalog = open();
  catalog.create(create_request("t"), kNow);
  auto request = env_request("t", wire::app_env_operation::APP_ENV_OP_SET);
  request.__set_keys({"default_ttl", "business.info"});
  request.__set_values({"86400", "x"});
  EXPECT_EQ(catalog.update_env(request).err.code, ErrorCode::kOk);
  request.op = wire::app_env_operation::APP_ENV_OP_DEL;
  request.__set_keys({"default_ttl"});
  EXPECT_EQ(catalog.update_env(request).hint_message, "deleted keys:\n    default_ttl");
  const std::map<std::string, std::string> expected = {{"business.info", "x"}};
  EXPECT_EQ(catalog.find("t")->info.envs, expected);
  EXPECT_EQ(open().find("t")->info.envs, expected);
}

TEST_F(AppCatalogTest, AnswersEnvRequestsForATableThatIsNotThere) {
  auto catalog = open();
  catalog.create(create_request("t"), kNow);
  catalog.drop(drop_request("t"), kNow);
  for (const auto op :
       {wire::app_env_operation::APP_ENV_OP_SET, wire::app_env_operation::APP_ENV_OP_DEL,
        wire::app_env_operation::APP_ENV_OP_CLEAR}) {
    auto request = env_request("t", op);
    request.__set_keys({"default_ttl"});
    request.__set_values({"1"});
    request.__set_clear_prefix("");
    const auto response = catalog.update_env(request);
    EXPECT_EQ(response.err.code, ErrorCode::kAppNotExist);
    EXPECT_EQ(response.hint_message, "app cannot be found");
  }
}

TEST_F(AppCatalogTest, FindsEverythingAfterReopening) {
  auto first = open();
  auto request = create_request("ta.b:le_");
  request.options.envs = {{"business.info", "a\nb\\ \xE2\x82\xAC"}};
  request.options.atomic_idempotent = true;
  first.create(request, kNow);
  first.create(create_request("gone"), kNow);
  first.drop(drop_request("gone"), kNow + 1);
  const auto second = open();
  EXPECT_EQ(second.apps(), first.apps());
  EXPECT_EQ(second.find("gone"), nullptr);
  EXPECT_NE(second.find("ta.b:le_"), nullptr);
}

TEST_F(AppCatalogTest, FindsTablesThatAnEarlierVersionNamedOtherwise) {
  open().create(create_request("t"), kNow);
  auto text = values().at("/apps/1");
  write("/apps/1", text.replace(text.find("\"t\""), 3, "\"ta/ble \xC3\xBC\""));
  auto catalog = open();
  ASSERT_NE(catalog.find("ta/ble \xC3\xBC"), nullptr);
  EXPECT_EQ(catalog.drop(drop_request("ta/ble \xC3\xBC"), kNow).err.code, ErrorCode::kOk);
}

TEST_F(AppCatalogTest, HasTheSecondariesOnTheFollowingNodes) {
  auto catalog = open(3);
  catalog.create(create_request("one", 3, 1), kNow);
  catalog.create(create_request("two", 3, 2), kNow);
  catalog.create(create_request("three", 3, 3), kNow);
  for (size_t index = 0; index < 3; ++index) {
    const auto nodes_of = [&](const char* name) {
      const auto* app = catalog.find(name);
      auto nodes = catalog.secondaries_of(*app, index);
      nodes.push_back(app->partitions[index].node);
      return std::set<int32_t>(nodes.begin(), nodes.end());
    };
    EXPECT_TRUE(catalog.secondaries_of(*catalog.find("one"), index).empty());
    EXPECT_EQ(nodes_of("two").size(), 2u);
    EXPECT_EQ(nodes_of("three"), (std::set<int32_t>{0, 1, 2}));
  }
}

TEST_F(AppCatalogTest, NamesTheTableThatNeedsMoreNodes) {
  {
    open(3).create(create_request("t", 1), kNow);
  }
  const std::string error = error_of_open(2);
  EXPECT_TRUE(error.contains("the table t (id 1) has 3 replicas")) << error;
  EXPECT_TRUE(error.contains("--replica-servers 3")) << error;
  EXPECT_EQ(error_of_open(5), "");
}

TEST_F(AppCatalogTest, RestoresATableWithAsManyReplicasAsThereAreNodesFor) {
  wire::app_info saved;
  saved.app_type = "pegasus";
  saved.partition_count = 4;
  for (const auto& [before, after] : {std::pair(3, 2), {2, 2}, {1, 1}, {0, 1}, {9, 2}}) {
    saved.max_replica_count = before;
    EXPECT_EQ(open(2).make_restored(saved, "r", {}, kNow).info.max_replica_count, after);
  }
}

TEST_F(AppCatalogTest, DoesNotMakeAChangeThatCannotBeWritten) {
  auto catalog = open();
  catalog.create(create_request("t"), kNow);
  const auto before = values();
  disk_.fails = true;
  EXPECT_EQ(catalog.create(create_request("u"), kNow).err.code, ErrorCode::kFileOperationFailed);
  EXPECT_EQ(catalog.drop(drop_request("t"), kNow).err.code, ErrorCode::kFileOperationFailed);
  auto request = env_request("t", wire::app_env_operation::APP_ENV_OP_SET);
  request.__set_keys({"default_ttl"});
  request.__set_values({"1"});
  EXPECT_EQ(catalog.update_env(request).err.code, ErrorCode::kFileOperationFailed);
  EXPECT_EQ(catalog.find("u"), nullptr);
  EXPECT_TRUE(catalog.find("t")->is_available());
  EXPECT_TRUE(catalog.find("t")->info.envs.empty());
  EXPECT_EQ(values(), before);
  disk_.fails = false;
  EXPECT_EQ(catalog.create(create_request("u"), kNow).appid, 2);
}

TEST_F(AppCatalogTest, ChangesTogetherWhatIsAskedForTogether) {
  auto catalog = open();
  catalog.create(create_request("a", 1), kNow);
  catalog.create(create_request("b", 1), kNow);
  catalog.drop(drop_request("b"), kNow);
  const auto change = [&] {
    auto renamed = *catalog.find("a");
    renamed.info.app_name = "c";
    AppCatalog::Change change{
        .apps = {std::move(renamed)}, .forgotten = {2}, .level = wire::fl_steady};
    change.also.put("/bulk_load/1", "x");
    return change;
  };
  disk_.fails = true;
  EXPECT_FALSE(catalog.commit(change()));
  EXPECT_NE(catalog.find("a"), nullptr);
  EXPECT_NE(catalog.find_by_id(2), nullptr);
  EXPECT_TRUE(catalog.level() == wire::fl_lively);
  disk_.fails = false;
  disk_.syncs = 0;
  ASSERT_TRUE(catalog.commit(change()));
  EXPECT_EQ(catalog.find("a"), nullptr);
  EXPECT_EQ(catalog.find("c")->info.app_id, 1);
  EXPECT_EQ(catalog.find_by_id(2), nullptr);
  EXPECT_EQ(values().at("/bulk_load/1"), "x");
  auto again = open();
  EXPECT_EQ(again.apps(), catalog.apps());
  EXPECT_TRUE(again.level() == wire::fl_steady);
}

TEST_F(AppCatalogTest, WritesOnlyWhatHasChanged) {
  auto catalog = open();
  catalog.create(create_request("t", 64), kNow);
  catalog.create(create_request("u", 64), kNow);
  const auto before = disk_.read("/meta/meta_store").size();
  auto request = env_request("t", wire::app_env_operation::APP_ENV_OP_SET);
  request.__set_keys({"default_ttl"});
  request.__set_values({"86400"});
  ASSERT_EQ(catalog.update_env(request).err.code, ErrorCode::kOk);
  EXPECT_LT(disk_.read("/meta/meta_store").size(), before + 600);
}

TEST_F(AppCatalogTest, ForgetsAllThatIsKeptOfATable) {
  auto catalog = open();
  catalog.create(create_request("a", 2), kNow);
  catalog.create(create_request("b", 2), kNow);
  catalog.drop(drop_request("a"), kNow);
  MetaBatch batch;
  for (const auto* path : {"/bulk_load/1", "/bulk_load/1/0", "/restore/1", "/restore/1/1",
                           "/table_backup/1/77", "/bulk_load/2", "/table_backup/2/77"})
    batch.put(path, "x");
  ASSERT_TRUE(catalog.commit({.also = std::move(batch)}));
  ASSERT_TRUE(catalog.forget(1));
  std::vector<std::string> left;
  for (const auto& [path, value] : values()) left.push_back(path);
  EXPECT_EQ(left, (std::vector<std::string>{"/apps", "/apps/2", "/apps/2/0", "/apps/2/1",
                                            "/bulk_load/2", "/table_backup/2/77"}));
}

TEST_F(AppCatalogTest, ChecksEveryFieldOfTheValues) {
  {
    auto catalog = open(1);
    catalog.create(create_request("first", 1, 1), kNow);
    catalog.create(create_request("other", 1, 1), kNow);
  }
  const auto good = values();
  struct Damage {
    const char *path, *from, *to;
  };
  const Damage damages[] = {
      {"/apps", "\"next_app_id\":3", "\"next_app_id\":2"},
      {"/apps", "\"next_app_id\":3", "\"next_app_id\":99999999999"},
      {"/apps", "\"lively\"", "\"lazy\""},
      {"/apps", "{", ""},
      {"/apps/2", "\"app_id\":2", "\"app_id\":1"},
      {"/apps/2", "\"app_id\":2", "\"app_id\":0"},
      {"/apps/2", "\"app_id\":2", "\"app_id\":\"2\""},
      {"/apps/2", "\"app_id\":2", "\"app_id\":1.5"},
      {"/apps/2", "\"other\"", "\"first\""},
      {"/apps/2", "\"other\"", "\"\""},
      {"/apps/2", "\"other\"", "7"},
      {"/apps/2", "\"available\"", "\"creating\""},
      {"/apps/2", "\"partition_count\":1", "\"partition_count\":2"},
      {"/apps/2", "\"partition_count\":1", "\"partition_count\":0"},
      {"/apps/2", "\"partition_count\":1", "\"partition_count\":1025"},
      {"/apps/2", "\"is_stateful\":true", "\"is_stateful\":1"},
      {"/apps/2", "\"envs\":{}", "\"envs\":{\"a\":1}"},
      {"/apps/2", "\"envs\":{}", "\"envs\":[]"},
      {"/apps/2", "\"expire_second\":0", "\"expire_second\":-1"},
      {"/apps/2", "{", "{\"more\":0,"},
      {"/apps/2/0", "\"ballot\":1", "\"ballot\":0"},
      {"/apps/2/0", "\"ballot\":1", "\"ballot\":18446744073709551615"},
      {"/apps/2/0", "\"node\":0", "\"node\":-1"},
      {"/apps/2/0", "\"node\":0", "\"nod\":0"},
      {"/apps/2/0", "\"node\":0", "\"node\":0,\"more\":0"},
  };
  for (const auto& [path, from, to] : damages) {
    auto text = good.at(path);
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write(path, text.replace(at, std::string(from).size(), to));
    const auto error = error_of_open();
    EXPECT_TRUE(error.contains("/meta/meta_store")) << from << " -> " << to << ": " << error;
    EXPECT_TRUE(error.contains(std::string(path).substr(0, 6))) << error;
    write(path, good.at(path));
  }
  for (const auto* stray : {"/apps/3", "/apps/x", "/apps/2/1", "/apps/2/x"}) {
    write(stray, good.at("/apps/2"));
    EXPECT_TRUE(error_of_open().contains(std::string(stray).substr(0, 7)))
        << stray << ": " << error_of_open();
    MetaBatch batch;
    batch.remove(stray);
    ASSERT_TRUE(open_store().commit(std::move(batch)));
  }
  EXPECT_EQ(error_of_open(), "");
}

TEST_F(AppCatalogTest, KeepsTheFunctionLevel) {
  {
    auto catalog = open();
    EXPECT_TRUE(catalog.level() == wire::fl_lively);
    ASSERT_TRUE(catalog.set_level(wire::fl_steady));
  }
  EXPECT_TRUE(open().level() == wire::fl_steady);
}

TEST_F(AppCatalogTest, MakesNoTablesWhenFrozen) {
  auto catalog = open();
  ASSERT_TRUE(catalog.set_level(wire::fl_freezed));
  // Before anything else is checked.
  EXPECT_EQ(catalog.create(create_request("t", 0), kNow).err.code, ErrorCode::kStateFreezed);
  ASSERT_TRUE(catalog.set_level(wire::fl_steady));
  EXPECT_EQ(catalog.create(create_request("t"), kNow).err.code, ErrorCode::kOk);
}

TEST_F(AppCatalogTest, KeepsTheOldLevelWhenTheNewOneCannotBeWritten) {
  auto catalog = open();
  disk_.fails = true;
  EXPECT_FALSE(catalog.set_level(wire::fl_freezed));
  EXPECT_TRUE(catalog.level() == wire::fl_lively);
}

TEST_F(AppCatalogTest, NeedsANode) {
  EXPECT_EQ(AppCatalog::open(open_store(), 0).error().code(), Code::kInvalidArgument);
}

TEST_F(AppCatalogTest, NamesTheNodeThatIsMissing) {
  {
    open(3).create(create_request("t", 3), kNow);
  }
  const std::string error = error_of_open(2);
  EXPECT_TRUE(error.contains("node 2 has data of the table t")) << error;
  EXPECT_TRUE(error.contains("--replica-servers 3")) << error;
}

TEST_F(AppCatalogTest, PutsNewTablesOnNewNodesAndLeavesOldOnes) {
  {
    open(2).create(create_request("old", 4, 2), kNow);
  }
  auto catalog = open(4);
  catalog.create(create_request("new", 4), kNow);
  const auto nodes = [&](const char* name) {
    std::multiset<int32_t> all;
    for (const auto& partition : catalog.find(name)->partitions) all.insert(partition.node);
    return all;
  };
  EXPECT_EQ(nodes("old"), (std::multiset<int32_t>{0, 0, 1, 1}));
  EXPECT_EQ(nodes("new"), (std::multiset<int32_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace pegmove::server::meta
