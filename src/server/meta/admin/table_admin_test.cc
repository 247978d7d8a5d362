#include "server/meta/admin/table_admin.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "meta_types.h"
#include "server/meta/store/sim_files_test.h"

namespace pegmove::server::meta {
namespace {

using wire::CompactionStatus;
using wire::ErrorCode;

constexpr int64_t kNow = 1'800'000'000;

class TableAdminTest : public testing::Test {
 protected:
  void SetUp() override {
    base::set_log_level(base::LogLevel::kOff);
    open();
    ASSERT_EQ(create("t"), 1);
  }
  // From disk: acknowledged changes must be there.
  void open() {
    auto store = MetaStore::open("/meta", disk_.files());
    ASSERT_TRUE(store) << store.error().to_string();
    store_ = std::move(*store);
    auto opened = AppCatalog::open(*store_, 2);
    ASSERT_TRUE(opened) << opened.error().to_string();
    catalog_ = std::make_unique<AppCatalog>(std::move(*opened));
  }

  int32_t create(std::string name, std::map<std::string, std::string> envs = {},
                 bool atomic_idempotent = false) {
    wire::configuration_create_app_request request;
    request.app_name = std::move(name);
    request.options.partition_count = 4;
    request.options.replica_count = 1;
    request.options.app_type = "pegasus";
    request.options.is_stateful = true;
    request.options.envs = std::move(envs);
    request.options.__set_atomic_idempotent(atomic_idempotent);
    return catalog_->create(request, kNow).appid;
  }
  void drop(std::string name, int64_t reserve_seconds) {
    wire::configuration_drop_app_request request;
    request.app_name = std::move(name);
    request.options.__set_reserve_seconds(reserve_seconds);
    ASSERT_EQ(catalog_->drop(request, kNow).err.code, ErrorCode::kOk);
  }
  wire::configuration_recall_app_response recall(int32_t app_id, std::string new_name = "",
                                                 int64_t now = kNow) {
    wire::configuration_recall_app_request request;
    request.app_id = app_id;
    request.new_app_name = std::move(new_name);
    return recall_app(*catalog_, request, now);
  }
  wire::configuration_rename_app_response rename(std::string old_name, std::string new_name) {
    wire::configuration_rename_app_request request;
    request.old_app_name = std::move(old_name);
    request.new_app_name = std::move(new_name);
    return rename_app(*catalog_, request);
  }
  wire::configuration_set_max_replica_count_response set_count(std::string name, int32_t count) {
    wire::configuration_set_max_replica_count_request request;
    request.app_name = std::move(name);
    request.max_replica_count = count;
    return set_max_replica_count(*catalog_, request);
  }
  wire::configuration_set_atomic_idempotent_response set_idempotent(std::string name, bool value) {
    wire::configuration_set_atomic_idempotent_request request;
    request.app_name = std::move(name);
    request.atomic_idempotent = value;
    return set_atomic_idempotent(*catalog_, request);
  }
  wire::configuration_meta_control_response control(wire::meta_function_level level) {
    wire::configuration_meta_control_request request;
    request.level = level;
    return control_level(*catalog_, request);
  }
  wire::query_app_manual_compact_response query_compact(std::string name,
                                                        std::vector<CompactionStatus> statuses) {
    wire::query_app_manual_compact_request request;
    request.app_name = std::move(name);
    return query_manual_compact(*catalog_, request, [&](const AppRecord&, int32_t index) {
      return statuses.at(static_cast<size_t>(index));
    });
  }
  static wire::start_app_manual_compact_request compact_request(std::string name) {
    wire::start_app_manual_compact_request request;
    request.app_name = std::move(name);
    return request;
  }

  SimDisk disk_;
  std::unique_ptr<MetaStore> store_;
  std::unique_ptr<AppCatalog> catalog_;
};

TEST_F(TableAdminTest, RecallsADroppedTable) {
  drop("t", 100);
  ASSERT_EQ(catalog_->find("t"), nullptr);
  const auto response = recall(1);
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.info.app_id, 1);
  EXPECT_EQ(response.info.app_name, "t");
  EXPECT_EQ(response.info.partition_count, 4);
  open();
  ASSERT_NE(catalog_->find("t"), nullptr);
  EXPECT_GT(catalog_->find("t")->info.drop_second, 0);  // as in Pegasus
  EXPECT_GT(catalog_->find("t")->info.expire_second, 0);
}

TEST_F(TableAdminTest, RecallsUnderAnotherName) {
  drop("t", 100);
  ASSERT_EQ(create("t"), 2);
  EXPECT_EQ(recall(1).err.code, ErrorCode::kInvalidParameters) << "the name is taken";
  EXPECT_EQ(recall(1, "t").err.code, ErrorCode::kInvalidParameters);
  EXPECT_EQ(recall(1, std::string("a\nb")).err.code, ErrorCode::kInvalidParameters);
  EXPECT_EQ(recall(1, "old").info.app_name, "old");
  open();
  EXPECT_EQ(catalog_->find("old")->info.app_id, 1);
  EXPECT_EQ(catalog_->find("t")->info.app_id, 2);
}

TEST_F(TableAdminTest, RecallsUntilTheReserveTimeIsOver) {
  drop("t", 100);
  EXPECT_EQ(recall(1, "", kNow + 100).err.code, ErrorCode::kAppNotExist);
  EXPECT_EQ(recall(1, "", kNow + 99).err.code, ErrorCode::kOk);
}

TEST_F(TableAdminTest, RecallsOnlyWhatIsDropped) {
  EXPECT_EQ(recall(1).err.code, ErrorCode::kAppExist);
  EXPECT_EQ(recall(99).err.code, ErrorCode::kAppNotExist);
}

TEST_F(TableAdminTest, RenamesATable) {
  const auto response = rename("t", "u");
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.hint_message, "");
  EXPECT_EQ(catalog_->find("t"), nullptr);
  EXPECT_EQ(catalog_->find("u")->info.app_id, 1);
  EXPECT_EQ(create("t"), 2) << "the old name is free";
  open();
  EXPECT_EQ(catalog_->find("u")->info.app_id, 1);
  EXPECT_EQ(catalog_->find("t")->info.app_id, 2);
}

TEST_F(TableAdminTest, RefusesToRenameWhatIsNotThereAndToATakenName) {
  create("u");
  auto response = rename("nothing", "v");
  EXPECT_EQ(response.err.code, ErrorCode::kAppNotExist);
  EXPECT_EQ(response.hint_message, "ERROR: app(nothing) not exist!");
  response = rename("t", "u");
  EXPECT_EQ(response.err.code, ErrorCode::kInvalidParameters);
  EXPECT_EQ(response.hint_message, "ERROR: app(u) already exist!");
  EXPECT_EQ(rename("t", "").err.code, ErrorCode::kInvalidParameters);
  EXPECT_EQ(rename("t", "t").err.code, ErrorCode::kInvalidParameters);
  response = rename("t", "a/b");
  EXPECT_EQ(response.err.code, ErrorCode::kInvalidParameters);
  EXPECT_EQ(response.hint_message, "Invalid name: Only 0-9a-zA-Z.:_ are valid.");
}

TEST_F(TableAdminTest, KeepsTheNameWhenTheNewOneCannotBeWritten) {
  disk_.fails = true;
  EXPECT_EQ(rename("t", "u").err.code, ErrorCode::kFileOperationFailed);
  EXPECT_NE(catalog_->find("t"), nullptr);
  EXPECT_EQ(catalog_->find("u"), nullptr);
}

TEST_F(TableAdminTest, TellsTheReplicaCount) {
  wire::configuration_get_max_replica_count_request request;
  request.app_name = "t";
  EXPECT_EQ(max_replica_count(*catalog_, request).max_replica_count, 1);
  request.app_name = "u";
  const auto response = max_replica_count(*catalog_, request);
  EXPECT_EQ(response.err.code, ErrorCode::kAppNotExist);
  EXPECT_EQ(response.hint_message, "app(u) does not exist");
}

TEST_F(TableAdminTest, ChangesTheReplicaCount) {
  auto response = set_count("t", 1);
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.old_max_replica_count, 1);
  EXPECT_EQ(response.hint_message, "no need to update max_replica_count since it's not changed");
  response = set_count("t", 6);
  EXPECT_EQ(response.err.code, ErrorCode::kInvalidParameters);
  EXPECT_EQ(response.old_max_replica_count, 1);
  EXPECT_EQ(response.hint_message,
            "requested replica count(6) must be within the range of [min=1, max=5]");
  response = set_count("t", 3);
  EXPECT_EQ(response.err.code, ErrorCode::kInvalidParameters);
  EXPECT_EQ(response.hint_message,
            "there are not enough alive replica servers(2) for the requested replica count(3)");
  disk_.fails = true;
  EXPECT_EQ(set_count("t", 2).err.code, ErrorCode::kFileOperationFailed);
  EXPECT_EQ(catalog_->find("t")->info.max_replica_count, 1);
  disk_.fails = false;
  response = set_count("t", 2);
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.old_max_replica_count, 1);
  EXPECT_EQ(response.hint_message, "");
  open();
  EXPECT_EQ(catalog_->find("t")->info.max_replica_count, 2);
  EXPECT_EQ(set_count("u", 1).err.code, ErrorCode::kAppNotExist);
}

TEST_F(TableAdminTest, KeepsAtomicIdempotentFromTheOptionsOfCreate) {
  create("u", {}, true);
  open();
  wire::configuration_get_atomic_idempotent_request request;
  request.app_name = "u";
  EXPECT_TRUE(atomic_idempotent(*catalog_, request).atomic_idempotent);
  request.app_name = "t";
  EXPECT_FALSE(atomic_idempotent(*catalog_, request).atomic_idempotent);
  request.app_name = "v";
  EXPECT_EQ(atomic_idempotent(*catalog_, request).err.code, ErrorCode::kAppNotExist);
}

TEST_F(TableAdminTest, ChangesAtomicIdempotent) {
  auto response = set_idempotent("t", true);
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_FALSE(response.old_atomic_idempotent);
  EXPECT_EQ(response.hint_message, "");
  open();
  EXPECT_TRUE(catalog_->find("t")->info.atomic_idempotent);
  response = set_idempotent("t", true);
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_TRUE(response.old_atomic_idempotent);
  EXPECT_EQ(response.hint_message, "no need to update atomic_idempotent since it's unchanged");
  EXPECT_EQ(set_idempotent("u", true).hint_message, "app(u) does not exist");
}

TEST_F(TableAdminTest, ControlsTheFunctionLevel) {
  EXPECT_TRUE(control(wire::fl_invalid).old_level == wire::fl_lively);
  EXPECT_TRUE(control(wire::fl_freezed).old_level == wire::fl_lively);
  EXPECT_TRUE(control(wire::fl_invalid).old_level == wire::fl_freezed);
  EXPECT_EQ(control(wire::meta_function_level(301)).err.code, ErrorCode::kInvalidParameters);
  open();
  EXPECT_TRUE(catalog_->level() == wire::fl_freezed);
}

TEST_F(TableAdminTest, ChangesNoSettingsWhenFrozen) {
  control(wire::fl_freezed);
  EXPECT_EQ(set_count("t", 1).err.code, ErrorCode::kStateFreezed);
  EXPECT_EQ(set_idempotent("t", true).err.code, ErrorCode::kStateFreezed);
  EXPECT_FALSE(catalog_->find("t")->info.atomic_idempotent);
  EXPECT_EQ(set_count("u", 1).err.code, ErrorCode::kAppNotExist);
}

TEST_F(TableAdminTest, StartsACompactionByAppEnvs) {
  const auto response = start_manual_compact(*catalog_, compact_request("t"), kNow);
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.hint_msg, "succeed");
  open();
  EXPECT_EQ(catalog_->find("t")->info.envs,
            (std::map<std::string, std::string>{
                {"manual_compact.once.target_level", "-1"},
                {"manual_compact.once.bottommost_level_compaction", "skip"},
                {"manual_compact.once.trigger_time", std::to_string(kNow)}}));
  auto request = compact_request("t");
  request.__set_bottommost(true);
  request.__set_target_level(3);
  request.__set_max_running_count(2);
  request.__set_trigger_time(7);
  EXPECT_EQ(start_manual_compact(*catalog_, request, kNow).err.code, ErrorCode::kOk);
  EXPECT_EQ(catalog_->find("t")->info.envs,
            (std::map<std::string, std::string>{
                {"manual_compact.once.target_level", "3"},
                {"manual_compact.once.bottommost_level_compaction", "force"},
                {"manual_compact.max_concurrent_running_count", "2"},
                {"manual_compact.once.trigger_time", "7"}}));
}

TEST_F(TableAdminTest, RefusesCompactionsThatCannotBe) {
  const auto expect_refused = [&](auto request, ErrorCode code, const std::string& hint) {
    const auto response = start_manual_compact(*catalog_, request, kNow);
    EXPECT_EQ(response.err.code, code);
    EXPECT_EQ(response.hint_msg, hint);
  };
  expect_refused(compact_request("u"), ErrorCode::kAppNotExist, "app u is not existed");
  auto request = compact_request("t");
  request.__set_target_level(-2);
  expect_refused(request, ErrorCode::kInvalidParameters,
                 "invalid target_level(-2), should in range of [-1, num_levels]");
  request = compact_request("t");
  request.__set_max_running_count(-1);
  expect_refused(request, ErrorCode::kInvalidParameters,
                 "invalid max_running_count(-1), should be greater than 0");
  create("disabled", {{"manual_compact.disabled", "true"}});
  expect_refused(compact_request("disabled"), ErrorCode::kOperationDisabled,
                 "app disabled disable manual compaction");
  EXPECT_TRUE(catalog_->find("t")->info.envs.empty());
}

TEST_F(TableAdminTest, TellsHowFarACompactionIs) {
  using enum CompactionStatus;
  auto response = query_compact("t", {kIdle, kIdle, kIdle, kIdle});
  EXPECT_EQ(response.err.code, ErrorCode::kInvalidState);
  EXPECT_EQ(response.hint_msg, "app t is not manual compaction");
  response = query_compact("t", {kFinished, kQueuing, kRunning, kIdle});
  EXPECT_EQ(response.err.code, ErrorCode::kOk);
  EXPECT_EQ(response.hint_msg, "succeed");
  EXPECT_EQ(response.progress, 25);
  EXPECT_EQ(query_compact("t", {kFinished, kFinished, kFinished, kFinished}).progress, 100);
  EXPECT_EQ(query_compact("u", {}).hint_msg, "app u is not existed");
}

}  // namespace
}  // namespace pegmove::server::meta
