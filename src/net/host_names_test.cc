#include "net/host_names.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <mutex>

#include "async/all.h"
#include "async/run.h"
#include "testing/sim_clock.h"

namespace pegmove::net {
namespace {

using async::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A name server whose answers the test sets and can delay.
class NameServer {
 public:
  Result<std::vector<Address>> look_up(const HostPort& name) {
    std::unique_lock lock(mutex_);
    asked_.push_back(name.host);
    changed_.wait(lock, [this] { return !holds_; });
    if (away_) return fail(Code::kUnreachable, "no answer about '" + name.host + "'");
    std::vector<Address> addresses;
    for (auto ipv4 : answer_) addresses.push_back({ipv4, name.port});
    return addresses;
  }
  void set(std::vector<uint32_t> answer) {
    std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  void set_away(bool away) {
    std::lock_guard lock(mutex_);
    away_ = away;
  }
  void hold(bool holds) {
    std::lock_guard lock(mutex_);
    holds_ = holds;
    changed_.notify_all();
  }
  size_t questions() {
    std::lock_guard lock(mutex_);
    return asked_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint32_t> answer_{1};
  std::vector<std::string> asked_;
  bool holds_ = false;
  bool away_ = false;
};

Routine<> run_alone(Task<> task) {
  (void)co_await std::move(task);  // the result is cached
}

class HostNamesTest : public ::testing::Test {
 protected:
  ~HostNamesTest() override {
    server.hold(false);
    run(end());
  }
  Routine<bool> end() {
    names.stop();
    co_await names.join();  // no result
    co_return true;
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Deadline in(int ms) { return Deadline::in(clock, milliseconds(ms)); }
  Result<std::vector<uint32_t>> resolve(const std::string& host = "a") {
    auto found = TRY(run(names.resolve({host, 34801}, in(10'000))));
    std::vector<uint32_t> addresses;
    for (auto address : found) addresses.push_back(address.ipv4);
    return addresses;
  }
  Task<> resolve_into(std::string host, Deadline deadline,
                      std::vector<Result<std::vector<Address>>>& into) {
    into.push_back(co_await names.resolve({host, 1}, deadline));
    co_return Result<void>();
  }
  // Lets background look-ups end.
  void let_look_ups_end() {
    context.restart();
    context.run();
  }

  asio::io_context context;
  testing::SimClock clock;
  NameServer server;
  HostNames names{context.get_executor(),
                  clock,
                  [this](const HostPort& name) { return server.look_up(name); },
                  {.most_names = 3}};
};

TEST_F(HostNamesTest, AnAddressIsNotLookedUp) {
  EXPECT_EQ(run(names.resolve({"10.0.0.1", 5}, in(1)))->front(), (Address{0x0a000001, 5}));
  EXPECT_EQ(server.questions(), 0u);
}

TEST_F(HostNamesTest, AnAnswerIsRememberedUntilItIsOld) {
  EXPECT_THAT(*resolve(), ElementsAre(1));
  server.set({2});
  clock.advance(milliseconds(29'999));
  EXPECT_THAT(*resolve(), ElementsAre(1));
  EXPECT_EQ(server.questions(), 1u);
  clock.advance(milliseconds(1));
  EXPECT_THAT(*resolve(), ElementsAre(1));  // the old one, while the name is looked up again
  let_look_ups_end();
  EXPECT_THAT(*resolve(), ElementsAre(2));
  EXPECT_EQ(server.questions(), 2u);
}

TEST_F(HostNamesTest, AfterAFailureTheNewAnswerIsWaitedFor) {
  ASSERT_THAT(*resolve(), ElementsAre(1));
  server.set({2});
  clock.advance(milliseconds(1000));
  names.failed({"a", 1}, {1, 1});
  EXPECT_THAT(*resolve(), ElementsAre(2));
}

TEST_F(HostNamesTest, ManyFailuresAtOnceLeadToOneQuestion) {
  ASSERT_TRUE(resolve());
  clock.advance(milliseconds(1000));
  for (int i = 0; i < 5; ++i) {
    names.failed({"a", 1}, {1, 1});
    EXPECT_THAT(*resolve(), ElementsAre(1));
  }
  EXPECT_EQ(server.questions(), 2u);
  clock.advance(milliseconds(1000));
  ASSERT_TRUE(resolve());
  EXPECT_EQ(server.questions(), 3u);
}

TEST_F(HostNamesTest, AddressesThatFailedComeLastAndNewOnesFirst) {
  server.set({1, 2, 3});
  EXPECT_THAT(*resolve(), ElementsAre(1, 2, 3));
  names.failed({"a", 1}, {1, 1});
  EXPECT_THAT(*resolve(), ElementsAre(2, 3, 1));
  names.failed({"a", 1}, {2, 1});
  EXPECT_THAT(*resolve(), ElementsAre(3, 1, 2));
  server.set({1, 4, 2, 4});
  clock.advance(milliseconds(1000));
  EXPECT_THAT(*resolve(), ElementsAre(4, 1, 2));
  names.failed({"a", 1}, {3, 1});  // is not an address of it any more
  EXPECT_THAT(*resolve(), ElementsAre(4, 1, 2));
}

TEST_F(HostNamesTest, ANameIsAskedForOnceByManyAtTheSameTime) {
  std::vector<Result<std::vector<Address>>> found;
  std::vector<Task<>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(resolve_into("a", in(10'000), found));
  ASSERT_TRUE(run(async::all(std::move(tasks))));
  EXPECT_EQ(found.size(), 10u);
  EXPECT_EQ(server.questions(), 1u);
}

TEST_F(HostNamesTest, AnOldAnswerServesWhileTheNameServerIsAway) {
  ASSERT_THAT(*resolve(), ElementsAre(1));
  server.set_away(true);
  clock.advance(milliseconds(60'000));
  names.failed({"a", 1}, {1, 1});
  EXPECT_THAT(*resolve(), ElementsAre(1));
  server.set_away(false);
  server.set({2});
  clock.advance(milliseconds(1000));
  EXPECT_THAT(*resolve(), ElementsAre(2));
}

TEST_F(HostNamesTest, AnOldAnswerServesWhenTheNewOneTakesTooLong) {
  ASSERT_THAT(*resolve(), ElementsAre(1));
  server.hold(true);
  clock.advance(milliseconds(60'000));
  names.failed({"a", 1}, {1, 1});
  std::vector<Result<std::vector<Address>>> found;
  async::TaskGroup group(context.get_executor());
  group.spawn(run_alone(resolve_into("a", in(10'000), found)));
  context.restart();
  context.poll();
  EXPECT_TRUE(found.empty());
  clock.advance(milliseconds(2000));
  context.poll();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0]);
}

TEST_F(HostNamesTest, AnUnknownNameFailsAndIsAskedForAgainLater) {
  server.set_away(true);
  auto failed = resolve();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Code::kUnreachable);
  EXPECT_THAT(failed.error().message(), HasSubstr("'a'"));
  server.set_away(false);
  EXPECT_FALSE(resolve());
  EXPECT_EQ(server.questions(), 1u);
  clock.advance(milliseconds(1000));
  EXPECT_THAT(*resolve(), ElementsAre(1));
}

TEST_F(HostNamesTest, ANameWithoutAddressesFails) {
  server.set({});
  EXPECT_EQ(resolve().error().code(), Code::kUnreachable);
}

TEST_F(HostNamesTest, ALookUpEndsForItsCallerAtTheDeadline) {
  server.hold(true);
  std::vector<Result<std::vector<Address>>> found;
  async::TaskGroup group(context.get_executor());
  group.spawn(run_alone(resolve_into("a", in(100), found)));
  context.poll();
  EXPECT_TRUE(found.empty());
  clock.advance(milliseconds(100));
  context.poll();
  ASSERT_EQ(found.size(), 1u);
  ASSERT_FALSE(found[0]);
  EXPECT_EQ(found[0].error().code(), Code::kTimeout);
}

TEST_F(HostNamesTest, TheNameThatWasUsedLongestAgoIsForgotten) {
  for (std::string host : {"a", "b", "c", "a", "d"}) ASSERT_TRUE(resolve(host));
  EXPECT_EQ(names.known(), 3u);
  EXPECT_EQ(server.questions(), 4u);
  ASSERT_TRUE(resolve("a"));
  EXPECT_EQ(server.questions(), 4u);
  ASSERT_TRUE(resolve("b"));
  EXPECT_EQ(server.questions(), 5u);
}

TEST_F(HostNamesTest, StoppingInterruptsThoseWhoWait) {
  server.hold(true);
  std::vector<Result<std::vector<Address>>> found;
  async::TaskGroup group(context.get_executor());
  group.spawn(run_alone(resolve_into("a", in(10'000), found)));
  context.poll();
  names.stop();
  context.restart();
  context.poll();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].error().code(), Code::kInterrupted);
}

}  // namespace
}  // namespace pegmove::net
