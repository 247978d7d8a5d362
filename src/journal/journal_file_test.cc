// The journal's file: where it lies, who may read it, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <optional>

#include "journal/journals_test.h"
#include "journal/location.h"
#include "journal/schema.h"
#include "testing/sim_clock.h"

namespace pegmove::journal {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class JournalFileTest : public ::testing::Test {
 protected:
  Result<Journal> open(const std::string& path) { return Journal::open(path, clock_); }
  // A journal with runs and positions, closed.
  std::string a_journal() {
    auto path = folder_ / "journal.db";
    auto journal = good(open(path));
    for (int run = 0; run < 20; ++run) {
      const auto id = good(journal.begin(a_copy())).id;
      for (int unit = 0; unit < 50; ++unit)
        good(journal.save(
            id, std::vector{UnitPosition{.unit = unit, .last_key = std::string(100, 'k')}}));
    }
    return path;
  }
  // Refused with this code, naming the file, and left as it is.
  std::string refused(const std::string& path, Code code) {
    const auto before = fs::is_regular_file(path) ? read_file(path) : "";
    const auto error = bad(open(path));
    EXPECT_EQ(error.code(), code) << error.to_string();
    EXPECT_THAT(error.to_string(), HasSubstr(path));
    EXPECT_EQ(fs::is_regular_file(path) ? read_file(path) : "", before);
    return error.to_string();
  }

  TestFolder folder_;
  pegmove::testing::SimClock clock_;
};

std::string default_path(const std::map<std::string, std::string>& variables) {
  return good(default_state_path([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  }));
}

mode_t mode_of(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
}

TEST(DefaultStatePathTest, FollowsXdgThenHome) {
  EXPECT_EQ(default_path({{"XDG_STATE_HOME", "/state"}, {"HOME", "/home/a"}}),
            "/state/pegmove/journal.db");
  for (const char* no_folder : {"", "relative"})
    EXPECT_EQ(default_path({{"XDG_STATE_HOME", no_folder}, {"HOME", "/home/a"}}),
              "/home/a/.local/state/pegmove/journal.db");
  EXPECT_EQ(default_path({{"HOME", "/home/a"}}), "/home/a/.local/state/pegmove/journal.db");
}

TEST(DefaultStatePathTest, SaysHowToGoOnWithoutAHome) {
  const auto error = bad(default_state_path([](const char*) { return nullptr; }));
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_THAT(error.to_string(), HasSubstr("--state"));
}

// SQLite would apply it to the new file, with whatever rows it holds.
TEST_F(JournalFileTest, ALogWhoseFileIsGoneIsNotTakenForThatOfANewOne) {
  const auto path = folder_ / "journal.db";
  auto journal = std::make_optional(good(open(path)));
  good(journal->begin(a_copy()));
  const auto log = read_file(path + "-wal");
  ASSERT_FALSE(log.empty());
  fs::remove(path);  // as an operator does to start over, while a process works
  EXPECT_THAT(refused(path, Code::kCorrupt), HasSubstr(path + "-wal"));
  journal.reset();
  write_file(path + "-wal", log);
  EXPECT_THAT(refused(path, Code::kCorrupt), HasSubstr("move the log away"));
  fs::remove(path + "-wal");
  EXPECT_TRUE(good(open(path)).list()->empty());
}

TEST_F(JournalFileTest, FoldersAndFileAreForTheirOwnerOnly) {
  const auto path = folder_ / "a/b/journal.db";
  auto journal = good(open(path));
  good(journal.begin(a_copy()));
  EXPECT_EQ(mode_of(folder_ / "a"), 0700u);
  EXPECT_EQ(mode_of(folder_ / "a/b"), 0700u);
  EXPECT_EQ(mode_of(path), 0600u);
  for (const auto& entry : fs::directory_iterator(folder_ / "a/b"))  // SQLite's own, too
    EXPECT_EQ(mode_of(entry.path()), 0600u) << entry.path();
}

TEST_F(JournalFileTest, NothingButTheFileIsLeftWhenItIsClosed) {
  a_journal();
  EXPECT_EQ(folder_.files(), 1u);
}

TEST_F(JournalFileTest, OneFileHasOneName) {
  const auto path = a_journal();
  fs::create_symlink(path, folder_ / "link.db");
  EXPECT_EQ(good(open(folder_ / "link.db")).path(), good(open(path)).path());
  EXPECT_EQ(good(open(folder_ / "./x/../journal.db")).path(), good(open(path)).path());
}

TEST_F(JournalFileTest, AFileThatIsNoJournalIsRefused) {
  for (const std::string& content :
       {std::string("hello"), std::string(5000, 'x'), std::string(4096, '\0'), std::string()}) {
    write_file(folder_ / "file", content);
    EXPECT_THAT(refused(folder_ / "file", Code::kInvalidArgument), HasSubstr("--state"));
  }
  tamper(folder_ / "other.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  EXPECT_THAT(refused(folder_ / "other.db", Code::kInvalidArgument), HasSubstr("not a journal"));
}

TEST_F(JournalFileTest, AFolderIsRefused) {
  fs::create_directory(folder_ / "sub");
  EXPECT_THAT(refused(folder_ / "sub", Code::kInvalidArgument), HasSubstr("--state"));
  EXPECT_EQ(bad(open(folder_ / "new/")).code(), Code::kInvalidArgument);
  EXPECT_EQ(bad(open("")).code(), Code::kInvalidArgument);
  write_file(folder_ / "file", "x");
  EXPECT_EQ(bad(open(folder_ / "file/journal.db")).code(), Code::kIo);
}

TEST_F(JournalFileTest, ANewerVersionIsRefused) {
  const auto path = a_journal();
  tamper(path, "PRAGMA user_version = 99");
  EXPECT_THAT(refused(path, Code::kUnsupported), HasSubstr("newer pegmove"));
}

TEST_F(JournalFileTest, DamageIsFoundWhereverItIs) {
  const auto whole = read_file(a_journal());
  const auto path = folder_ / "damaged.db";
  size_t refusals = 0;
  for (size_t page = 1; page * 4096 < whole.size(); ++page) {
    auto damaged = whole;
    damaged.replace(page * 4096, 2048, 2048, '\xa5');
    write_file(path, damaged);
    const auto opened = open(path);
    if (opened) continue;  // a free page
    EXPECT_EQ(opened.error().code(), Code::kCorrupt) << opened.error().to_string();
    EXPECT_THAT(opened.error().to_string(), HasSubstr(path));
    EXPECT_THAT(opened.error().to_string(), HasSubstr("move it away"));
    ++refusals;
  }
  EXPECT_GT(refusals, whole.size() / 4096 / 2);
  write_file(path, whole.substr(0, whole.size() / 2));
  EXPECT_EQ(bad(open(path)).code(), Code::kCorrupt);
}

TEST_F(JournalFileTest, WhatNoPegmoveWritesIsDamage) {
  const auto path = a_journal();
  for (const char* sql :
       {"UPDATE runs SET state = 'flying'", "UPDATE runs SET rows = -1",
        "UPDATE runs SET options = '{'", "UPDATE runs SET source = CAST(x'ff' AS TEXT)",
        "UPDATE units SET unit = -unit - 1", "UPDATE units SET done = 7",
        "UPDATE units SET detail = '{'", "DROP TABLE units",
        "INSERT INTO changes (run, kind, name, value, changed_unix_ms) "
        "VALUES ('copy-20270115-1', 'request', 'dance', '', 0)"}) {
    const auto copy = folder_ / "copy.db";
    fs::copy_file(path, copy, fs::copy_options::overwrite_existing);
    tamper(copy, sql);
    auto opened = open(copy);
    auto code = [&]() -> Result<void> {
      auto journal = TRY(std::move(opened));
      const auto id = TRY(journal.list()).back().id;
      TRY(journal.positions(id));
      TRY(journal.changes_since(id, 0));
      return {};
    };
    EXPECT_EQ(bad(code()).code(), Code::kCorrupt) << sql;
  }
}

TEST_F(JournalFileTest, TriggersInAFileAreNotCarriedOut) {
  const auto path = a_journal();
  tamper(path, "CREATE TRIGGER evil AFTER UPDATE ON runs BEGIN DELETE FROM units; END");
  auto journal = good(open(path));
  good(journal.set_state("copy-20270115-1", RunState::kRunning));
  EXPECT_EQ(good(journal.positions("copy-20270115-1")).size(), 50u);
}

TEST_F(JournalFileTest, AnOlderVersionIsBroughtUpToDateWithWhatItHolds) {
  const auto path = a_journal();
  std::vector<std::string_view> steps(schema_steps().begin(), schema_steps().end());
  steps.push_back("ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT 'none'");
  {
    const auto newer = good(open_journal(path, 0, steps));
    EXPECT_EQ(good(newer.integer("PRAGMA user_version", "")), int64_t(steps.size()));
    EXPECT_EQ(good(newer.integer("SELECT count(*) FROM runs WHERE note = 'none'", "")), 20);
  }
  EXPECT_EQ(good(open_journal(path, 0, steps)).text("SELECT note FROM runs", "").value(), "none");
  refused(path, Code::kUnsupported);
}

TEST_F(JournalFileTest, AStepThatFailsLeavesTheOldVersion) {
  const auto path = a_journal();
  std::vector<std::string_view> steps(schema_steps().begin(), schema_steps().end());
  steps.push_back("CREATE TABLE added (a)");
  steps.push_back("CREATE TABLE runs (a)");
  EXPECT_THAT(bad(open_journal(path, 0, steps)).to_string(), HasSubstr("runs already exists"));
  EXPECT_EQ(good(good(open(path)).list()).size(), 20u);
}

// As the version before wrote them: lanes, and what a run had made as its result.
TEST_F(JournalFileTest, RunsOfTheFirstVersionGetTheirStepsAndUnits) {
  const auto path = folder_ / "old.db";
  good(open_journal(path, 0, schema_steps().first(1)));
  const auto add = [&](const std::string& id, const std::string& state, const std::string& result) {
    const auto method = id.substr(0, id.find('-'));
    tamper(path,
           "INSERT INTO runs (id, method, source, target, source_table, target_table, state, "
           "created_unix_ms, updated_unix_ms, options, reason, rows, bytes, result) VALUES ('" +
               id + "', '" + method + "', 'A', 'B', 't', 't', '" + state +
               "', 1, 2, '{}', '', 3, 4, '" + result + "')");
    tamper(path, "INSERT INTO lanes VALUES ('" + id + "', 0, x'6b', 3, 4, 1, '{}')");
  };
  add("copy-20270115-1", "running", R"({"source_app_id":1})");
  add("copy-20270115-2", "failed", "{}");
  add("copy-20270115-3", "done", R"({"rows":3})");
  add("backup-20270115-1", "interrupted", R"({"backup_id":5,"app_id":1,"root":"A"})");
  add("load-20270115-1", "running", R"({"level":3,"scenario":"x","started":false})");
  add("load-20270115-2", "running", R"({"level":3,"scenario":"","started":true})");
  add("split-20270115-1", "running",
      R"({"now_ts":7,"most_file_bytes":8,"units":[{"class":0},{"class":1}]})");
  add("verify-20270115-1", "paused", "{}");
  tamper(path, "INSERT INTO changes VALUES (1, 'load-20270115-2', 'request', 'cancel', '', 5)");

  auto journal = good(open(path));
  EXPECT_TRUE(fs::exists(path + ".v1")) << "the older version's file is kept";
  const auto steps = [&](const char* id) {
    std::string text;
    for (const auto& step : good(journal.steps(id)))
      text += step.name + "=" + std::string(to_string(step.state)) + " " + step.before +
              step.product + ";";
    return text;
  };
  EXPECT_EQ(steps("copy-20270115-1"), R"(make-target=done {"source_app_id":1};copy-rows=begun ;)");
  EXPECT_EQ(steps("copy-20270115-2"), "make-target=begun ;");
  EXPECT_EQ(steps("copy-20270115-3"), "");
  EXPECT_EQ(good(journal.get("copy-20270115-3")).result, R"({"rows":3})");
  EXPECT_EQ(good(journal.get("copy-20270115-1")).result, "");
  EXPECT_EQ(steps("backup-20270115-1"),
            R"(start-backup=done {"backup_id":5,"app_id":1,"root":"A"};)");
  EXPECT_EQ(steps("load-20270115-1"),
            R"(prepare-table=begun {"level":3,"scenario":"x"};start-load=begun ;)");
  EXPECT_EQ(steps("load-20270115-2"),
            R"(prepare-table=begun {"level":3,"scenario":""};start-load=done ;)");
  EXPECT_EQ(steps("split-20270115-1"),
            R"(plan-split=done {"now_ts":7,"most_file_bytes":8};split-rows=begun ;)");
  EXPECT_EQ(good(journal.planned_units("split-20270115-1", "split-rows")).size(), 2u);
  EXPECT_EQ(good(journal.positions("split-20270115-1", "split-rows")).size(), 1u);
  EXPECT_EQ(good(journal.positions("copy-20270115-1", "copy-rows")).at(0).last_key, "k");
  EXPECT_EQ(steps("verify-20270115-1"), "compare=begun ;");
  EXPECT_EQ(good(journal.changes_since("load-20270115-2", 0)).requests.at(0), Request::kCancel);
}

TEST_F(JournalFileTest, AFileLockedByOthersIsBusy) {
  const auto path = a_journal();
  auto journal = good(Journal::open(path, clock_, {.busy_timeout_ms = 0}));
  sqlite3* other = nullptr;
  sqlite3_open(path.c_str(), &other);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto error = bad(journal.begin(a_copy()));
  EXPECT_EQ(error.code(), Code::kBusy);
  EXPECT_THAT(error.to_string(), HasSubstr(path));
  EXPECT_THAT(error.to_string(), HasSubstr("beginning a run"));
  EXPECT_EQ(good(journal.list()).size(), 20u);  // reading still works
  sqlite3_close(other);
  good(journal.begin(a_copy()));
}

}  // namespace
}  // namespace pegmove::journal
