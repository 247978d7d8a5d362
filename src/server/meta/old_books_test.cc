#include "server/meta/old_books.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "bulk_load_types.h"
#include "meta_types.h"
#include "server/meta/meta_state.h"
#include "server/meta/store/sim_files_test.h"
#include "testing/test_folder.h"

namespace pegmove::server::meta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Written by an earlier version that was killed at several moments.
constexpr const char* kBooks = "tests/golden/meta-books";

class OldBooksTest : public ::testing::Test {
 protected:
  OldBooksTest() {
    base::set_log_level(base::LogLevel::kOff);
    for (const auto& [name, text] : testing::contents(kBooks)) {
      if (!name.ends_with(".json")) continue;
      books_[name] = text;
      testing::write_file(folder_ / name, text);
    }
  }
  Result<MetaState> open() { return MetaState::open(folder_.path(), 2, disk_.files()); }
  void expect_refused(const std::string& book, const std::string& text, Code code) {
    testing::write_file(folder_ / book, text);
    const auto opened = open();
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error().code(), code) << text;
    EXPECT_THAT(opened.error().to_string(), HasSubstr(folder_ / book));
    EXPECT_EQ(testing::read_file(folder_ / book), text) << "it is left as it is";
    EXPECT_EQ(disk_.read(folder_ / "meta_store"), "");
    testing::write_file(folder_ / book, books_.at(book));
  }
  void expect_damaged(const std::string& book, const std::string& from, const std::string& to) {
    auto text = books_.at(book);
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    expect_refused(book, text.replace(at, from.size(), to), Code::kCorrupt);
  }

  testing::TestFolder folder_;
  SimDisk disk_;
  std::map<std::string, std::string> books_;
};

TEST_F(OldBooksTest, AreReadOnceAndKept) {
  const auto state = open();
  ASSERT_TRUE(state) << state.error().to_string();
  const auto* users = state->catalog.find("users");
  ASSERT_NE(users, nullptr);
  EXPECT_EQ(users->info.app_id, 1);
  EXPECT_EQ(users->info.envs.at("business.info"), "quoted \"x\" \xC3\xBC");
  EXPECT_TRUE(users->info.atomic_idempotent);
  EXPECT_EQ(users->partitions.size(), 4u);
  EXPECT_EQ(users->partitions[3].node, 1);
  EXPECT_EQ(state->catalog.find_by_id(2)->info.expire_second, 1'700'605'800);
  EXPECT_TRUE(state->catalog.level() == wire::fl_steady);
  EXPECT_EQ(state->backups.backups.size(), 3u);
  EXPECT_EQ(state->backups.backups.at({1'700'000'100'000, 1}).bytes, 4711);
  EXPECT_EQ(state->backups.backups.at({1'700'000'300'000, 1}).cancel_reason, "cancelled");
  EXPECT_THAT(state->backups.restores.at(4).partitions,
              ElementsAre(RestoredPartition::kDone, RestoredPartition::kMissing,
                          RestoredPartition::kSkipped));
  const auto& night = state->backups.policies.at("night");
  EXPECT_EQ(night.start_minute, 30);
  ASSERT_EQ(night.rounds.size(), 3u);
  EXPECT_EQ(night.rounds[1].reason, "table users: away");
  EXPECT_TRUE(state->loads.at(5).partitions ==
              (std::vector{wire::BLS_DOWNLOADED, wire::BLS_DOWNLOADING}));
  EXPECT_EQ(state->loads.at(6).reason, "1.sst is damaged; the table is as it was");

  for (const auto& [name, text] : books_) {
    EXPECT_FALSE(std::filesystem::exists(folder_ / name));
    EXPECT_EQ(testing::read_file(folder_ / (name + ".old")), text);
  }
  const auto again = open();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->catalog.apps(), state->catalog.apps());
  EXPECT_EQ(again->backups, state->backups);
  EXPECT_TRUE(again->loads == state->loads);
  EXPECT_EQ(again->catalog.encoded(), state->catalog.encoded());
}

TEST_F(OldBooksTest, LeaveOutWhatIsOfNoTable) {
  const auto state = open();
  ASSERT_TRUE(state);
  EXPECT_FALSE(state->backups.backups.contains({1'700'000'050'000, 3}));
  EXPECT_FALSE(state->backups.restores.contains(8));
  EXPECT_FALSE(state->loads.contains(3));
  EXPECT_TRUE(state->catalog.find("loading")->info.is_bulk_loading);
  EXPECT_FALSE(state->catalog.find("loaded")->info.is_bulk_loading);
}

// The store's file counts as soon as it exists.
TEST_F(OldBooksTest, AreTakenOverOnceThroughAKill) {
  int cuts = 0;
  disk_.on_write = [&] {
    for (const auto& left : disk_.after_power_cut(folder_ / "meta_store")) {
      if (!left) continue;
      EXPECT_TRUE(MetaStore::open(folder_.path(), SimDisk(folder_ / "meta_store", *left).files()));
      ++cuts;
    }
  };
  ASSERT_TRUE(open());
  EXPECT_GT(cuts, 0);
  disk_.on_write = {};
  // Killed before they were renamed.
  testing::write_file(folder_ / "apps.json", "not read any more");
  testing::write_file(folder_ / "apps.json.tmp", "killed");
  ASSERT_TRUE(open());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "apps.json"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "apps.json.tmp"));
}

TEST_F(OldBooksTest, AreNotTakenOverWhenTheyCannotBeWritten) {
  disk_.fails = true;
  EXPECT_FALSE(open());
  EXPECT_EQ(testing::read_file(folder_ / "apps.json"), books_.at("apps.json"));
  disk_.fails = false;
  EXPECT_TRUE(open());
}

TEST_F(OldBooksTest, AreNamedWhenTheyAreDamaged) {
  for (const auto& [book, good] : books_)
    for (const std::string& bad :
         {std::string(), good.substr(0, good.size() - 3), good + "x", std::string("[]"),
          std::string("\xFF"), std::string("{}"), std::string(R"({"version": 1})")})
      expect_refused(book, bad, Code::kCorrupt);
}

TEST_F(OldBooksTest, AreCheckedInEveryField) {
  const std::pair<const char*, const char*> of_tables[] = {
      {"\"next_app_id\": 9", "\"next_app_id\": 7"},
      {"\"next_app_id\": 9", "\"next_app_id\": 99999999999"},
      {"\"version\": 2", "\"version\": 0"},
      {"\"version\": 2", "\"version\": 1"},
      {"\"version\": 2", "\"version\": 2, \"more\": 0"},
      {"\"steady\"", "\"lazy\""},
      {"\"app_id\": 2", "\"app_id\": 1"},
      {"\"app_id\": 2", "\"app_id\": 0"},
      {"\"app_id\": 2", "\"app_id\": \"2\""},
      {"\"app_id\": 2", "\"app_id\": 1.5"},
      {"\"loading\"", "\"users\""},
      {"\"users\"", "\"\""},
      {"\"users\"", "7"},
      {"\"available\"", "\"creating\""},
      {"\"ballot\": 1", "\"ballot\": 0"},
      {"\"ballot\": 1", "\"ballot\": 18446744073709551615"},
      {"\"node\": 0", "\"node\": -1"},
      {"\"node\": 0", "\"nod\": 0"},
      {"\"node\": 0", "\"node\": 0, \"more\": 0"},
      {"\"is_stateful\": true", "\"is_stateful\": 1"},
      {"\"envs\": {}", "\"envs\": {\"a\": 1}"},
      {"\"envs\": {}", "\"envs\": []"},
      {"\"expire_second\": 0", "\"expire_second\": -1"},
      {"\"partitions\": [", "\"partitions\": [], \"x\": ["},
  };
  for (const auto& [from, to] : of_tables) expect_damaged("apps.json", from, to);
  const std::pair<const char*, const char*> of_backups[] = {
      {"\"backup_id\": 1700000200000", "\"backup_id\": 1700000100000"},
      {"\"running\"", "\"walking\""},
      {"\"missing\"", "\"lost\""},
      {"\"rounds\"", "\"circles\""},
      {"\"name\": \"night\"", "\"name\": \"idle\""}};
  for (const auto& [from, to] : of_backups) expect_damaged("backups.json", from, to);
  expect_damaged("bulk_loads.json", "BLS_DOWNLOADED", "BLS_LOST");
  EXPECT_TRUE(open());
}

TEST_F(OldBooksTest, OfALaterVersionAreRefused) {
  expect_refused("apps.json", R"({"version": 3, "next_app_id": 1, "apps": [], "new": {}})",
                 Code::kUnsupported);
  expect_refused("bulk_loads.json", R"({"version": 2, "loads": []})", Code::kUnsupported);
}

TEST_F(OldBooksTest, OfTheVersionWithoutFunctionLevelAreRead) {
  testing::write_file(folder_ / "apps.json", R"({"version": 1, "next_app_id": 5, "apps": []})");
  std::filesystem::remove(folder_ / "backups.json");
  std::filesystem::remove(folder_ / "bulk_loads.json");
  const auto state = open();
  ASSERT_TRUE(state) << state.error().to_string();
  EXPECT_TRUE(state->catalog.level() == wire::fl_lively);
  EXPECT_TRUE(state->catalog.apps().empty());
  EXPECT_THAT(state->catalog.encoded(), HasSubstr("\"next_app_id\": 5"));
}

TEST(MetaState, NamesATableThatALoadDoesNotFit) {
  const testing::TestFolder folder;
  const auto error_with_load = [&](int32_t app_id, size_t partitions) -> std::string {
    SimDisk disk;
    {
      auto state = MetaState::open(folder.path(), 1, disk.files());
      wire::configuration_create_app_request request;
      request.app_name = "t";
      request.options.partition_count = 2;
      request.options.replica_count = 1;
      request.options.app_type = "pegasus";
      EXPECT_EQ(state->catalog.create(request, 1).appid, 1);
      MetaBatch batch;
      put_whole_load(batch, {.app_id = app_id,
                             .table = "t",
                             .provider = "local",
                             .place = {},
                             .partitions = std::vector(partitions, wire::BLS_SUCCEED)});
      EXPECT_TRUE(state->store->commit(std::move(batch)));
    }
    const auto opened = MetaState::open(folder.path(), 1, disk.files());
    return opened ? "" : opened.error().to_string();
  };
  EXPECT_EQ(error_with_load(1, 2), "");
  EXPECT_THAT(error_with_load(2, 2), HasSubstr("the bulk load of the table with the id 2"));
  EXPECT_THAT(error_with_load(1, 3), HasSubstr("the bulk load of the table with the id 1"));
}

}  // namespace
}  // namespace pegmove::server::meta
