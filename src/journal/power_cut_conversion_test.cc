// What a power cut leaves while a journal of an older version is converted.
#include <gtest/gtest.h>

#include "journal/journals_test.h"
#include "journal/schema.h"
#include "testing/power_cut_disk.h"
#include "testing/sim_clock.h"

namespace pegmove::journal {
namespace {

namespace fs = std::filesystem;
using testing::Cut;
using testing::Files;
using testing::PowerCutDisk;
using testing::Survivors;
using testing::to_string;
using testing::write_files;

constexpr const char* kRun = "split-20270115-1";
constexpr const char* kOldRows =
    "SELECT (SELECT group_concat(id || state || result) FROM runs) || '; ' || "
    "(SELECT group_concat(run || lane || hex(last_key)) FROM lanes) || '; ' || "
    "(SELECT group_concat(run || name) FROM changes)";

// As a process of the first version leaves it that was killed: with a log.
Files an_old_journal() {
  const TestFolder folder;
  PowerCutDisk disk(folder.path());
  const auto old = good(open_journal(folder / "journal.db", 0, schema_steps().first(1)));
  good(old.execute(
      "INSERT INTO runs (id, method, source, target, source_table, target_table, state, "
      "created_unix_ms, updated_unix_ms, options, reason, rows, bytes, result) VALUES "
      "('split-20270115-1', 'split', 'A', 'B', 't', 't', 'failed', 1, 2, '{}', 'disk full', 3, 4, "
      R"('{"now_ts":7,"units":[{"class":0},{"class":1}]}'))",
      ""));
  good(old.execute("INSERT INTO lanes VALUES ('split-20270115-1', 1, x'6b', 3, 4, 0, '{}')", ""));
  good(old.execute("INSERT INTO changes VALUES (1, 'split-20270115-1', 'request', 'cancel', '', 5)",
                   ""));
  auto files = disk.after({.moment = disk.moments(), .survivors = Survivors::kAll});
  EXPECT_GT(files["journal.db-wal"].size(), 0u);
  return files;
}

class PowerCutConversionTest : public ::testing::Test {
 protected:
  PowerCutConversionTest() { write_files(an_old_journal(), folder_.path()); }

  // The version of the file in the folder, whose rows must be whole.
  Result<int64_t> version_of(const std::string& path) {
    const auto connection = TRY(Connection::open(path, 0));
    if (const auto found = TRY(connection.text("PRAGMA integrity_check", "")); found != "ok")
      return fail(Code::kCorrupt, path + ": " + found);
    const auto version = TRY(connection.integer("PRAGMA user_version", ""));
    if (version == 1 && TRY(connection.text(kOldRows, "")) != old_rows_)
      return fail(Code::kCorrupt, path + ": its rows are not whole");
    return version;
  }

  // What this version shows of the old rows.
  static Result<std::string> converted(const std::string& path) {
    const pegmove::testing::SimClock clock;
    const auto journal = TRY(Journal::open(path, clock));
    const auto run = TRY(journal.get(kRun));
    std::string text = std::string(to_string(run.state)) + " " + run.reason + ";";
    for (const auto& step : TRY(journal.steps(kRun)))
      text += " " + step.name + "=" + std::string(to_string(step.state)) + step.product;
    for (const auto& spec : TRY(journal.planned_units(kRun, "split-rows"))) text += " " + spec;
    for (const auto& unit : TRY(journal.positions(kRun, "split-rows")))
      text += " " + std::to_string(unit.unit) + unit.last_key;
    for (const auto request : TRY(journal.changes_since(kRun, 0)).requests)
      text += " " + std::string(to_string(request));
    return text;
  }

  // Checks what a cut left, and that the next process converts it. Returns the version left.
  Result<int64_t> check(const Files& left) {
    const TestFolder folder;
    write_files(left, folder.path());
    const PowerCutDisk disk(folder.path());  // nobody waits for the real one
    const auto copy = folder / "journal.db.v1";
    const auto version = TRY(version_of(folder / "journal.db"));
    if (fs::exists(copy)) {
      EXPECT_EQ(TRY(version_of(copy)), 1);
    } else {
      EXPECT_EQ(version, 1) << "converted, without a copy";
    }
    EXPECT_EQ(TRY(converted(folder / "journal.db")), kConverted);
    EXPECT_EQ(TRY(version_of(copy)), 1);
    return version;
  }

  // Converts the journal and cuts the power at each moment. `begin` is the first.
  void convert_and_cut(PowerCutDisk& disk, size_t begin) {
    ASSERT_EQ(good(converted(folder_ / "journal.db")), kConverted);
    ASSERT_TRUE(disk.written_as_recorded("-shm"));
    const auto end = disk.moments();
    std::map<int64_t, size_t> versions;
    for (size_t moment = begin; moment <= end; ++moment)
      for (uint64_t seed = 0; seed < 6; ++seed) {
        const Cut cut{.moment = moment, .survivors = Survivors(seed % 4), .seed = seed};
        const auto version = check(disk.after(cut));
        ASSERT_TRUE(version) << to_string(cut) << ": " << version.error().to_string();
        ASSERT_FALSE(HasFailure()) << to_string(cut);
        ++versions[*version];
        EXPECT_TRUE(moment < end || *version == 2) << "it was acknowledged";
      }
    EXPECT_EQ(versions.size(), 2u);
    EXPECT_GT(versions[1], 50u);
    EXPECT_GT(versions[2], 50u);
  }

  static constexpr const char* kConverted =
      R"(failed disk full; plan-split=done{"now_ts":7} split-rows=begun {"class":0} {"class":1} )"
      "1k cancel";
  const std::string old_rows_ =
      R"(split-20270115-1failed{"now_ts":7,"units":[{"class":0},{"class":1}]}; )"
      "split-20270115-116B; split-20270115-1cancel";
  TestFolder folder_;
};

TEST_F(PowerCutConversionTest, LeavesTheOldJournalOrTheNewOneWithACopyOfTheOld) {
  PowerCutDisk disk(folder_.path());
  convert_and_cut(disk, 0);
}

// A process that was killed has given the copy its name and did not sync the folder.
TEST_F(PowerCutConversionTest, ACopyThatAnotherProcessMadeIsDurableBeforeTheConversion) {
  {
    const TestFolder other;
    write_files(an_old_journal(), other.path());
    good(converted(other / "journal.db"));
    fs::copy_file(other / "journal.db.v1", folder_ / "staging");
  }
  PowerCutDisk disk(folder_.path());
  fs::rename(folder_ / "staging", folder_ / "journal.db.v1");
  convert_and_cut(disk, disk.moments());
}

}  // namespace
}  // namespace pegmove::journal
