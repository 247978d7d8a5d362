// What the journal keeps when the power is cut, at any moment.
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <sstream>

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
using testing::Syncs;
using testing::to_string;
using testing::write_files;

constexpr const char* kFile = "state/journal.db";
constexpr const char* kFirst = "copy-20270115-1";
constexpr const char* kSecond = "copy-20270115-2";
constexpr const char* kThird = "copy-20270115-3";

// How much of what is not durable survives, and the seed of chance.
constexpr std::pair<Survivors, uint64_t> kVariants[] = {{Survivors::kNone, 0},
                                                        {Survivors::kAll, 0},
                                                        {Survivors::kSomeWrites, 1},
                                                        {Survivors::kSomeSectors, 2},
                                                        {Survivors::kSomeSectors, 3}};

// All that the calls of Journal return, as one text.
Result<std::string> shown(const Journal& journal) {
  std::ostringstream text;
  for (const auto& run : TRY(journal.list())) {
    text << run.id << ' ' << to_string(run.state) << ' ' << run.reason << ' ' << run.result << ' '
         << run.updated_unix_ms << ' ' << run.rows << ' ' << run.bytes << '\n';
    for (const auto& step : TRY(journal.steps(run.id)))
      text << "  step " << step.name << ' ' << to_string(step.state) << ' ' << step.before << ' '
           << step.product << ' ' << step.outcome << '\n';
    for (const char* step : {"copy-rows", "split-rows"}) {
      for (const auto& spec : TRY(journal.planned_units(run.id, step)))
        text << "  planned " << step << ' ' << spec << '\n';
      for (const auto& unit : TRY(journal.positions(run.id, step)))
        text << "  unit " << step << ' ' << unit.unit << ' ' << unit.last_key << ' ' << unit.rows
             << ' ' << unit.bytes << ' ' << unit.done << ' ' << unit.detail << '\n';
    }
    const auto progress = TRY(journal.progress(run.id));
    text << "  progress " << progress.step << ' ' << progress.line << ' ' << progress.done << '\n';
    for (const auto& lease : TRY(journal.leases(run.id)))
      text << "  lease " << lease.step << ' ' << lease.until_unix_ms << '\n';
    const auto changes = TRY(journal.changes_since(run.id, 0));
    for (const auto& [key, value] : changes.settings)
      text << "  setting " << key << '=' << value << '\n';
    for (const auto request : changes.requests) text << "  request " << to_string(request) << '\n';
  }
  return text.str();
}

// Opens the journal in the folder as the next process does.
Result<std::string> reopened(const TestFolder& folder) {
  const pegmove::testing::SimClock clock;
  const auto journal = TRY(Journal::open(folder / kFile, clock));
  auto text = TRY(shown(journal));
  const auto connection = TRY(Connection::open(journal.path(), 0));
  for (const char* check : {"PRAGMA integrity_check", "PRAGMA foreign_key_check"})
    if (const auto found = TRY(connection.text(check, check)); !found.empty() && found != "ok")
      return fail(Code::kCorrupt, found);
  return text;
}

// The same for what a cut left. Many cuts leave the same: it is opened once.
class Reopening {
 public:
  const Result<std::string>& of(const Files& files) {
    std::string all;
    for (const auto& [path, content] : files)
      all += path + ' ' + std::to_string(content.size()) + ' ' + content;
    const auto hash = std::hash<std::string>()(all);
    auto found = seen_.find(hash);
    if (found == seen_.end()) {
      const TestFolder folder;
      write_files(files, folder.path());
      const PowerCutDisk disk(folder.path());  // nobody waits for the real one
      found = seen_.emplace(hash, reopened(folder)).first;
    }
    return found->second;
  }

 private:
  std::map<size_t, Result<std::string>> seen_;
};

enum class Promise { kPower, kProcess, kNothing };

// The work of a process, on a disk that records it.
class PowerCutTest : public ::testing::Test {
 protected:
  struct Done {
    std::string name;
    Promise promise;
    size_t moment;      // in which it was acknowledged
    std::string shown;  // after it
  };
  using Positions = std::vector<UnitPosition>;

  void act(const std::string& name, Promise promise, const std::function<void()>& operation) {
    clock_.advance(async::milliseconds(1000));
    operation();
    done_.push_back(
        {name, promise, disk_.moments(), journal_ ? good(shown(*journal_)) : done_.back().shown});
  }
  void open() { journal_.emplace(good(Journal::open(folder_ / kFile, clock_))); }
  void close() { journal_.reset(); }

  void work();
  void work_on_the_first_run();
  // What may be shown: from the last operation that was durable to the one that was in progress.
  bool is_right(size_t moment, const std::string& text) const;
  std::string done_before(size_t moment) const;

  TestFolder folder_;
  pegmove::testing::SimClock clock_;
  PowerCutDisk disk_{folder_.path()};
  std::optional<Journal> journal_;
  std::vector<Done> done_;
  Reopening reopening_;
};

void PowerCutTest::work_on_the_first_run() {
  act("begin", Promise::kPower, [&] { good(journal_->begin(a_copy())); });
  act("set_state", Promise::kPower, [&] { good(journal_->set_state(kFirst, RunState::kRunning)); });
  act("save_step", Promise::kPower,
      [&] { good(journal_->save_step(kFirst, {.name = "copy-rows", .before = "{}"})); });
  act("plan_units", Promise::kPower, [&] {
    good(journal_->plan_units(kFirst, "copy-rows", std::vector<std::string>{"0", "1", "2"}));
  });
  for (const char* key : {"a", "b"})
    act(std::string("save ") + key, Promise::kProcess, [&] {
      good(journal_->save(
          kFirst, Positions{{.unit = 0, .last_key = key, .rows = *key, .step = "copy-rows"},
                            {.unit = 1, .last_key = key, .bytes = *key, .step = "copy-rows"}}));
    });
  act("save_progress", Promise::kProcess, [&] {
    good(journal_->save_progress(kFirst, {.step = "copy-rows", .line = "copying", .done = 2}));
  });
  act("lease", Promise::kPower, [&] { good(journal_->lease(kFirst, {"copy-rows", 5})); });
  act("set", Promise::kPower, [&] { good(journal_->set(kFirst, "rows-per-second", "7")); });
  act("request", Promise::kPower, [&] { good(journal_->request(kFirst, Request::kPause)); });
}

void PowerCutTest::work() {
  act("open", Promise::kPower, [&] { open(); });
  work_on_the_first_run();
  // The log is written from its beginning after this, over older frames.
  act("checkpoint", Promise::kNothing,
      [&] { tamper(folder_ / kFile, "PRAGMA wal_checkpoint(PASSIVE)"); });
  act("save c", Promise::kProcess, [&] {
    good(journal_->save(kFirst, Positions{{.unit = 2, .last_key = "c", .step = "copy-rows"}}));
  });
  act("answer_requests", Promise::kPower, [&] { good(journal_->answer_requests(kFirst, 9)); });
  act("lease ends", Promise::kPower, [&] { good(journal_->lease(kFirst, {"copy-rows", 0})); });
  act("save d", Promise::kProcess, [&] {
    good(journal_->save(kFirst, Positions{{.unit = 2, .last_key = "d", .step = "copy-rows"}}));
  });
  act("close", Promise::kNothing, [&] { close(); });  // removes the log
  act("open again", Promise::kNothing, [&] { open(); });
  act("forget_positions", Promise::kPower,
      [&] { good(journal_->forget_positions(kFirst, "copy-rows")); });
  act("step done", Promise::kPower,
      [&] { good(journal_->save_step(kFirst, {.name = "copy-rows", .state = StepState::kDone})); });
  act("end", Promise::kPower,
      [&] { good(journal_->set_state(kFirst, RunState::kDone, "", R"({"rows":3})")); });
  act("begin second", Promise::kPower, [&] { good(journal_->begin(a_copy())); });
  act("cancel second", Promise::kPower,
      [&] { good(journal_->set_state(kSecond, RunState::kCancelled, "by the user")); });
  act("begin third", Promise::kPower, [&] { good(journal_->begin(a_copy())); });
  act("forget", Promise::kPower, [&] { good(journal_->forget(kFirst)); });
  act("forget_before", Promise::kPower, [&] {
    ASSERT_EQ(good(journal_->forget_before(clock_.unix_us() / 1000)),
              std::vector{std::string(kSecond)});
  });
  act("run third", Promise::kPower, [&] { good(journal_->set_state(kThird, RunState::kRunning)); });
  act("close at the end", Promise::kNothing, [&] { close(); });
}

bool PowerCutTest::is_right(size_t moment, const std::string& text) const {
  bool right = text.empty();  // before the first
  for (const auto& operation : done_) {
    const bool over = operation.moment <= moment;
    if (over && operation.promise == Promise::kPower) right = false;
    right = right || operation.shown == text;
    if (!over) break;  // it was in progress
  }
  return right;
}

std::string PowerCutTest::done_before(size_t moment) const {
  std::string name = "nothing";
  for (const auto& operation : done_)
    if (operation.moment <= moment) name = operation.name;
  return "; the last operation was: " + name;
}

TEST_F(PowerCutTest, WhatWasAcknowledgedIsShownAfterACut) {
  work();
  size_t promises = 0;
  for (const auto& operation : done_) {
    if (operation.promise != Promise::kPower) continue;
    ++promises;
    const auto left = disk_.after({.moment = operation.moment});
    EXPECT_TRUE(left.contains(kFile)) << operation.name;
    const auto& text = reopening_.of(left);
    ASSERT_TRUE(text) << operation.name << ": " << text.error().to_string();
    EXPECT_EQ(*text, operation.shown) << operation.name;
  }
  EXPECT_GE(promises, 19u);
}

// So the test above says something: the disk loses what nobody syncs.
TEST_F(PowerCutTest, ADiskThatDoesNotSyncFilesOrFoldersLosesAll) {
  work();
  for (const auto syncs : {Syncs::kOfFoldersOnly, Syncs::kOfFilesOnly})
    for (const auto& operation : done_) {
      const auto left = disk_.after({.moment = operation.moment, .syncs = syncs});
      EXPECT_FALSE(left.contains(kFile) && reopening_.of(left)) << operation.name;
    }
}

TEST_F(PowerCutTest, TheLastPositionsAreLostUntilTheNextChangeOfState) {
  open();
  work_on_the_first_run();
  const auto before = done_.back().shown;
  act("save", Promise::kProcess, [&] {
    good(journal_->save(kFirst, Positions{{.unit = 0, .last_key = "z", .step = "copy-rows"}}));
  });
  EXPECT_EQ(good(reopening_.of(disk_.after({.moment = done_.back().moment}))), before);
  act("pause", Promise::kPower, [&] { good(journal_->set_state(kFirst, RunState::kPaused)); });
  EXPECT_EQ(good(reopening_.of(disk_.after({.moment = done_.back().moment}))), done_.back().shown);
  EXPECT_NE(done_.back().shown.find("unit copy-rows 0 z"), std::string::npos);
}

TEST_F(PowerCutTest, WithoutSyncsOfSqliteACommitIsLost) {
  open();
  good(journal_->begin(a_copy()));
  for (const char* synchronous : {"OFF", "FULL"}) {
    auto connection = good(Connection::open(folder_ / kFile, 0));
    good(connection.execute(std::string("PRAGMA synchronous = ") + synchronous, "test"));
    good(connection.transact(Durability::kPower, "test", [&] {
      return connection.execute(std::string("UPDATE runs SET reason = '") + synchronous + "'", "");
    }));
    const auto left = good(reopening_.of(disk_.after({.moment = disk_.moments()})));
    EXPECT_EQ(left.contains(synchronous), synchronous == std::string("FULL")) << left;
  }
}

TEST_F(PowerCutTest, ACutAtAnyMomentLeavesAPrefixOfTheWork) {
  work();
  ASSERT_TRUE(disk_.written_as_recorded("-shm"));
  const auto end = disk_.moments();
  EXPECT_GT(end, 200u);
  for (size_t moment = 0; moment <= end; ++moment)
    for (const auto& [survivors, seed] : kVariants) {
      const Cut cut{.moment = moment, .survivors = survivors, .seed = seed};
      const auto& text = reopening_.of(disk_.after(cut));
      ASSERT_TRUE(text) << to_string(cut) << done_before(moment) << ": "
                        << text.error().to_string();
      ASSERT_TRUE(is_right(moment, *text)) << to_string(cut) << done_before(moment) << ":\n"
                                           << *text;
    }
}

TEST_F(PowerCutTest, ACutWhileTheNextProcessRecoversChangesNothing) {
  work();
  size_t cuts = 0;
  for (size_t moment = 0; moment <= disk_.moments(); moment += 37) {
    const TestFolder folder;
    write_files(disk_.after({.moment = moment, .survivors = Survivors::kSomeSectors, .seed = 4}),
                folder.path());
    PowerCutDisk disk(folder.path());
    const auto first = good(reopened(folder));
    for (size_t second = 0; second <= disk.moments(); ++second)
      for (const auto survivors : {Survivors::kNone, Survivors::kSomeSectors}) {
        const Cut cut{.moment = second, .survivors = survivors};
        ASSERT_EQ(good(reopening_.of(disk.after(cut))), first) << moment << ", " << to_string(cut);
        ++cuts;
      }
  }
  EXPECT_GT(cuts, 200u);
}

// More than SQLite keeps in its log: the commit is followed by a checkpoint.
TEST_F(PowerCutTest, ALargePlanIsThereAsAWholeOrNotAtAll) {
  act("open", Promise::kPower, [&] { open(); });
  act("begin", Promise::kPower, [&] { good(journal_->begin(a_copy())); });
  const auto begin = disk_.moments();
  act("plan_units", Promise::kPower, [&] {
    const std::vector<std::string> specs(9, '"' + std::string(500'000, 'x') + '"');
    good(journal_->plan_units(kFirst, "copy-rows", specs));
  });
  act("set_state", Promise::kPower, [&] { good(journal_->set_state(kFirst, RunState::kRunning)); });
  const auto end = disk_.moments();
  EXPECT_GT(end - begin, 3000u) << "no checkpoint";
  for (size_t moment = begin; moment <= end; moment += 301)
    for (const auto survivors : {Survivors::kNone, Survivors::kSomeSectors}) {
      const Cut cut{.moment = moment, .survivors = survivors};
      const auto& text = reopening_.of(disk_.after(cut));
      ASSERT_TRUE(text) << to_string(cut) << ": " << text.error().to_string();
      ASSERT_TRUE(is_right(moment, *text)) << to_string(cut) << done_before(moment);
    }
}

// A process that was killed has given the file its name and did not sync the folder.
TEST_F(PowerCutTest, ANameThatAnotherProcessGaveIsDurableWithTheFirstRun) {
  {
    const pegmove::testing::SimClock clock;
    good(Journal::open(folder_ / kFile, clock));
    fs::rename(folder_ / kFile, folder_ / "state/staging");
  }
  PowerCutDisk disk(folder_.path());
  ASSERT_EQ(link((folder_ / "state/staging").c_str(), (folder_ / kFile).c_str()), 0);
  EXPECT_FALSE(disk.after({.moment = disk.moments()}).contains(kFile));
  open();
  good(journal_->begin(a_copy()));
  const auto text = good(shown(*journal_));
  for (const auto& [survivors, seed] : kVariants)
    EXPECT_EQ(good(reopening_.of(
                  disk.after({.moment = disk.moments(), .survivors = survivors, .seed = seed}))),
              text);
}

}  // namespace
}  // namespace pegmove::journal
