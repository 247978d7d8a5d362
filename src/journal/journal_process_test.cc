// Several processes at one journal, and processes that are killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "journal/journals_test.h"
#include "journal/run_lock.h"
#include "testing/sim_clock.h"

namespace pegmove::journal {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kUnits = 8;

// A process that runs `body` and sends numbers to this one; killed at the latest by the destructor.
class Child {
 public:
  template <typename Body>
  explicit Child(Body body) {
    int ends[2];
    if (pipe(ends) != 0) throw std::runtime_error("no pipe");
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      body([&](int64_t number) { return write(ends[1], &number, sizeof number) > 0; });
      _exit(1);  // only when the body failed
    }
    close(ends[1]);
    from_child_ = ends[0];
  }
  ~Child() {
    kill_now();
    close(from_child_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  // -1 when the child has ended and all its numbers were read.
  int64_t hear() {
    int64_t number = -1;
    return read(from_child_, &number, sizeof number) == sizeof number ? number : -1;
  }
  void kill_now() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int from_child_ = -1;
};

// All units at the same row.
std::vector<UnitPosition> positions_at(int64_t row) {
  std::vector<UnitPosition> positions;
  for (int unit = 0; unit < kUnits; ++unit)
    positions.push_back({.unit = unit, .last_key = std::to_string(row), .rows = row, .bytes = row});
  return positions;
}

// The row that all units are at; they must be at one, and the totals must be theirs.
int64_t row_of(const Journal& journal, const std::string& id) {
  const auto positions = good(journal.positions(id));
  if (positions.empty()) return 0;
  EXPECT_EQ(positions, positions_at(positions[0].rows));
  EXPECT_EQ(good(journal.get(id)).rows, kUnits * positions[0].rows);
  return positions[0].rows;
}

class JournalProcessTest : public ::testing::Test {
 protected:
  Journal open() { return good(Journal::open(path_, clock_)); }

  TestFolder folder_;
  std::string path_ = folder_ / "journal.db";
  pegmove::testing::SimClock clock_;
};

TEST_F(JournalProcessTest, WhatWasSavedSurvivesAKillInTheMiddle) {
  const auto id = good(open().begin(a_copy())).id;
  int64_t row = 0;
  for (int round = 0; round < 5; ++round) {
    Child child([&](auto tell) {
      auto journal = Journal::open(path_, clock_);
      if (!journal) return;
      for (int64_t next = row + 1; journal->save(id, positions_at(next)); ++next) {
        if (next % 50 == 0 && !journal->set_state(id, RunState::kRunning)) return;
        if (!tell(next)) return;
      }
    });
    int64_t heard = 0;
    for (int i = 0; i < 120 + 17 * round; ++i) heard = child.hear();
    child.kill_now();
    while (const auto more = child.hear()) {
      if (more < 0) break;
      heard = more;
    }
    ASSERT_GT(heard, row);
    const auto journal = open();
    row = row_of(journal, id);
    EXPECT_GE(row, heard);
    EXPECT_LE(row, heard + 1);  // one more may have been written and not sent
  }
}

TEST_F(JournalProcessTest, AfterAPowerCutThePositionsAreOlderAndWhole) {
  auto journal = open();
  const auto id = good(journal.begin(a_copy())).id;
  for (int row = 1; row <= 20; ++row) good(journal.save(id, positions_at(row)));
  const auto log = read_file(path_ + "-wal");
  const auto file = read_file(path_);
  ASSERT_GT(log.size(), 0u);
  const auto copy = folder_ / "copy.db";
  int64_t last = -1;
  for (size_t size = 0; size <= log.size(); size += 1361) {
    write_file(copy, file);
    write_file(copy + "-wal", log.substr(0, size));
    const auto cut = good(Journal::open(copy, clock_));
    const bool begun = cut.get(id).has_value();
    const auto row = begun ? row_of(cut, id) : -1;
    EXPECT_GE(row, last);
    last = row;
  }
  EXPECT_GE(last, 19);
}

TEST_F(JournalProcessTest, ManyBeginAtOnceAndEachIdIsOneOfItsOwn) {
  constexpr int kThreads = 4;
  constexpr int kRuns = 25;
  std::vector<std::string> ids[kThreads];
  std::vector<std::jthread> threads;
  for (auto& mine : ids)
    threads.emplace_back([&] {
      auto journal = Journal::open(path_, clock_);  // one of them makes the file
      for (int i = 0; journal && i < kRuns; ++i)
        if (auto run = journal->begin(a_copy())) mine.push_back(run->id);
    });
  threads.clear();
  std::set<std::string> all;
  for (const auto& mine : ids) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), size_t(kThreads * kRuns));
  EXPECT_EQ(good(open().list()).size(), size_t(kThreads * kRuns));
  EXPECT_EQ(folder_.files(), 1u);
}

TEST_F(JournalProcessTest, OneWritesWhileAnotherReadsAndSteers) {
  const auto id = good(open().begin(a_copy())).id;
  constexpr int kCalls = 200;
  std::atomic<int> failed = 0;
  std::jthread writer([&] {
    auto journal = Journal::open(path_, clock_);
    for (int row = 1; row <= kCalls; ++row)
      if (!journal || !journal->save(id, positions_at(row))) ++failed;
  });
  auto journal = open();
  for (int i = 1; i <= kCalls; ++i) {
    if (!journal.set(id, "lanes", std::to_string(i))) ++failed;
    // Each call is seen in whole. Totals are another call: the writer may be further by then.
    const auto seen = good(journal.positions(id));
    const auto whole = seen.empty() ? decltype(seen){} : positions_at(seen[0].rows);
    EXPECT_EQ(seen, whole);
  }
  writer.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(row_of(journal, id), kCalls);
  EXPECT_EQ(good(journal.changes_since(id, 0)).settings.at("lanes"), std::to_string(kCalls));
}

TEST_F(JournalProcessTest, ASecondWorkerIsRefusedAndToldWhoWorks) {
  const auto id = good(open().begin(a_copy())).id;
  Child child([&](auto tell) {
    auto journal = Journal::open(path_, clock_);
    if (!journal) return;
    auto lock = RunLock::take(*journal, id);
    if (!lock || !tell(1)) return;
    pause();
  });
  ASSERT_EQ(child.hear(), 1);
  auto journal = open();
  const auto error = bad(RunLock::take(journal, id));
  EXPECT_EQ(error.code(), Code::kBusy);
  EXPECT_THAT(error.to_string(), HasSubstr("process " + std::to_string(child.pid())));
  EXPECT_THAT(error.to_string(), HasSubstr(id));
  EXPECT_EQ(good(RunLock::holder(journal, id)), child.pid());
  child.kill_now();
  EXPECT_EQ(good(RunLock::holder(journal, id)), std::nullopt);
  const auto lock = good(RunLock::take(journal, id));
  EXPECT_EQ(good(RunLock::holder(journal, id)), getpid());
}

TEST_F(JournalProcessTest, ALockIsOfOneRunAndEndsWithItsObject) {
  auto journal = open();
  const auto first = good(journal.begin(a_copy())).id;
  const auto second = good(journal.begin(a_copy())).id;
  {
    auto lock = good(RunLock::take(journal, first));
    const auto moved = std::move(lock);
    EXPECT_EQ(bad(RunLock::take(journal, first)).code(), Code::kBusy);
    good(RunLock::take(journal, second));
  }
  good(RunLock::take(journal, first));
  for (const auto& entry : fs::directory_iterator(fs::path(path_).parent_path()))
    EXPECT_NE(entry.path().extension(), ".lock");
}

TEST_F(JournalProcessTest, ALockIsOnlyForARunThatIs) {
  auto journal = open();
  EXPECT_EQ(bad(RunLock::take(journal, "copy-20260101-1")).code(), Code::kNotFound);
  EXPECT_EQ(bad(RunLock::take(journal, "../x")).code(), Code::kInvalidArgument);
  EXPECT_EQ(bad(RunLock::holder(journal, "../x")).code(), Code::kInvalidArgument);
}

TEST_F(JournalProcessTest, OneOfManyThatTakeAtOnceHasTheLock) {
  const auto id = good(open().begin(a_copy())).id;
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      auto journal = Journal::open(path_, clock_);
      for (int round = 0; journal && round < 200; ++round) {
        auto lock = RunLock::take(*journal, id);
        if (!lock) continue;
        const int now = ++inside;
        if (now > most) most = now;
        --inside;  // before the lock goes
      }
    });
  threads.clear();
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace pegmove::journal
