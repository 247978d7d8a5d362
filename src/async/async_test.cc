#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <vector>

#include "async/all.h"
#include "async/clock.h"
#include "async/context_thread.h"
#include "async/event.h"
#include "async/pool.h"
#include "async/run.h"
#include "async/semaphore.h"
#include "async/task_group.h"
#include "async/wait_until.h"
#include "testing/sim_clock.h"

namespace pegmove::async {
namespace {

Task<int> fails() { co_return fail(Code::kBusy, "busy"); }
Task<int> passes_on() { co_return CO_TRY(co_await fails()) + 1; }

TEST(Task, CoTryLeavesWithTheError) {
  asio::io_context context;
  EXPECT_EQ(run_to_end(context, passes_on()).error().message(), "busy");
}

Routine<> append_when_notified(Event& event, std::vector<int>& order, int number) {
  co_await event.wait();  // no result
  order.push_back(number);
}

TEST(Event, WakesInTheOrderOfWaiting) {
  asio::io_context context;
  TaskGroup group(context.get_executor());
  Event event;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) group.spawn(append_when_notified(event, order, i));
  context.poll();
  EXPECT_TRUE(order.empty());
  for (int i = 0; i < 3; ++i) event.notify();
  context.poll();
  EXPECT_EQ(order, (std::vector{0, 1, 2}));
}

TEST(Event, ANotificationWaitsForTheNextWaiter) {
  asio::io_context context;
  TaskGroup group(context.get_executor());
  Event event;
  std::vector<int> order;
  event.notify();
  event.notify();
  group.spawn(append_when_notified(event, order, 1));
  group.spawn(append_when_notified(event, order, 2));
  context.poll();
  EXPECT_EQ(order, std::vector{1});
  event.notify();
  context.poll();
  EXPECT_EQ(order, (std::vector{1, 2}));
}

Routine<> wait_until_stopped(TaskGroup& group, Event& event, int& woken) {
  while (!group.stopped()) {
    co_await event.wait();  // no result
    ++woken;
  }
}

TEST(Event, StoppingATaskGroupWakesThoseOfItWhoWait) {
  asio::io_context context;
  TaskGroup stopped(context.get_executor()), other(context.get_executor());
  Event event;
  int woken = 0;
  std::vector<int> order;
  for (int i = 0; i < 2; ++i) stopped.spawn(wait_until_stopped(stopped, event, woken));
  other.spawn(append_when_notified(event, order, 1));
  context.poll();
  stopped.stop();
  context.poll();
  EXPECT_EQ(stopped.running(), 0u);
  EXPECT_EQ(woken, 2);
  EXPECT_TRUE(order.empty());
  event.notify();  // for the one that still waits, and not for those that have left
  context.poll();
  EXPECT_EQ(order, std::vector{1});
}

TEST(Event, AStopAfterTheNotificationWakesOnlyOnce) {
  asio::io_context context;
  TaskGroup group(context.get_executor());
  Event event;
  int woken = 0;
  group.spawn(wait_until_stopped(group, event, woken));
  context.poll();
  event.notify();
  group.stop();
  context.poll();
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(group.running(), 0u);
}

Routine<> wait_for_two(Event& event, Clock& clock, const int& number, bool& has_ended) {
  const auto deadline = Deadline::in(clock, milliseconds(100));
  co_await wait_until(event, clock, deadline, [&] { return number == 2; });  // no result
  has_ended = true;
}

TEST(WaitUntil, EndsAtOnceWhenItIsOver) {
  asio::io_context context;
  testing::SimClock clock;
  TaskGroup group(context.get_executor());
  Event event;
  const int number = 2;
  bool has_ended = false;
  group.spawn(wait_for_two(event, clock, number, has_ended));
  context.poll();
  EXPECT_TRUE(has_ended);
  EXPECT_EQ(group.running(), 0u);
}

TEST(WaitUntil, AsksAfterEachNotification) {
  asio::io_context context;
  testing::SimClock clock;
  TaskGroup group(context.get_executor());
  Event event;
  int number = 1;
  bool has_ended = false;
  group.spawn(wait_for_two(event, clock, number, has_ended));
  context.poll();
  event.notify_all();
  context.poll();
  EXPECT_FALSE(has_ended);
  number = 2;
  event.notify_all();
  context.poll();
  EXPECT_TRUE(has_ended);
  EXPECT_EQ(clock.sleepers(), 0u);
  EXPECT_EQ(group.running(), 0u);
}

TEST(WaitUntil, EndsAtTheDeadline) {
  asio::io_context context;
  testing::SimClock clock;
  TaskGroup group(context.get_executor());
  Event event;
  const int number = 1;
  bool has_ended = false;
  group.spawn(wait_for_two(event, clock, number, has_ended));
  context.poll();
  clock.advance(milliseconds(99));
  context.poll();
  EXPECT_FALSE(has_ended);
  clock.advance(milliseconds(1));
  context.poll();
  EXPECT_TRUE(has_ended);
  EXPECT_EQ(group.running(), 0u);
}

Routine<> hold(Semaphore& semaphore, Event& until, int64_t count, int& holders) {
  co_await semaphore.acquire(count);  // no result
  ++holders;
  co_await until.wait();  // no result
  semaphore.release(count);
}

TEST(Semaphore, AdmitsUpToItsPermitsAndOneThatIsLargerAlone) {
  asio::io_context context;
  TaskGroup group(context.get_executor());
  Semaphore semaphore(10);
  Event until;
  int holders = 0;
  for (int64_t count : {6, 4, 100}) group.spawn(hold(semaphore, until, count, holders));
  context.poll();
  EXPECT_EQ(holders, 2);
  until.notify();
  context.poll();
  EXPECT_EQ(holders, 2);  // the large one waits until nobody else has a permit
  until.notify();
  context.poll();
  EXPECT_EQ(holders, 3);
  until.notify();
  context.poll();
}

TEST(Semaphore, HasAsManyPermitsAsItWasGivenLast) {
  asio::io_context context;
  TaskGroup group(context.get_executor());
  Semaphore semaphore(2);
  Event until;
  int holders = 0;
  const auto holds = [&](int more) {
    for (int i = 0; i < more; ++i) group.spawn(hold(semaphore, until, 1, holders));
    context.poll();
    return holders;
  };
  EXPECT_EQ(holds(4), 2);
  semaphore.resize(3);
  EXPECT_EQ(holds(0), 3);
  semaphore.resize(1);
  for (int given_back = 0; given_back < 2; ++given_back) until.notify();
  EXPECT_EQ(holds(0), 3);  // one of three is left, and none was taken
  until.notify();
  EXPECT_EQ(holds(0), 4);
  until.notify();
  context.poll();
}

TEST(Semaphore, AStopNeitherLetsAnybodyPassNorLosesPermits) {
  asio::io_context context;
  TaskGroup stopped(context.get_executor()), other(context.get_executor());
  Semaphore semaphore(1);
  Event until;
  int holders = 0;
  other.spawn(hold(semaphore, until, 1, holders));
  stopped.spawn(hold(semaphore, until, 1, holders));
  other.spawn(hold(semaphore, until, 1, holders));
  context.poll();
  stopped.stop();
  context.poll();
  EXPECT_EQ(holders, 1);
  for (int i = 0; i < 3; ++i) {
    until.notify();
    context.poll();
  }
  EXPECT_EQ(holders, 3);
  EXPECT_EQ(stopped.running() + other.running(), 0u);
}

Routine<> sleep_and_count(Clock& clock, TaskGroup& group, int& woken) {
  while (!group.stopped()) {
    co_await clock.sleep_for(milliseconds(1000));  // no result
    ++woken;
  }
}

TEST(TaskGroup, StopEndsSleepsOfASimulatedClock) {
  asio::io_context context;
  testing::SimClock clock;
  TaskGroup group(context.get_executor());
  int woken = 0;
  group.spawn(sleep_and_count(clock, group, woken));
  context.poll();
  clock.advance(milliseconds(999));
  context.poll();
  EXPECT_EQ(woken, 0);
  clock.advance(milliseconds(1));
  context.poll();
  EXPECT_EQ(woken, 1);
  group.stop();
  context.poll();
  EXPECT_EQ(group.running(), 0u);
  EXPECT_EQ(clock.sleepers(), 0u);
}

Routine<> stop_and_join(TaskGroup& group) {
  group.stop();
  co_await group.join();  // no result
}

TEST(TaskGroup, StopEndsSleepsOfASimulatedClockWhoseTimePassesMeanwhile) {
  for (int i = 0; i < 1'000; ++i) {
    testing::SimClock clock;
    ContextThread thread;
    TaskGroup group(thread.executor());
    int woken = 0;
    asio::post(thread.executor(), [&] { group.spawn(sleep_and_count(clock, group, woken)); });
    while (clock.sleepers() == 0) std::this_thread::yield();
    std::jthread passing([&] { clock.advance(milliseconds(1000)); });
    thread.wait_for(stop_and_join(group));
    EXPECT_LE(woken, 2);
  }
}

TEST(TaskGroup, StopEndsSleepsOfTheSystemClock) {
  asio::io_context context;
  SystemClock clock;
  TaskGroup group(context.get_executor());
  int woken = 0;
  group.spawn(sleep_and_count(clock, group, woken));
  context.poll();
  group.stop();
  context.poll();
  EXPECT_EQ(group.running(), 0u);
}

TEST(TaskGroup, ARoutineThatHasNotBegunWhenItIsStoppedIsDropped) {
  asio::io_context context;
  testing::SimClock clock;
  TaskGroup group(context.get_executor());
  int woken = 0;
  group.spawn(sleep_and_count(clock, group, woken));
  group.stop();
  context.poll();
  EXPECT_EQ(group.running(), 0u);
  EXPECT_EQ(woken, 0);
}

Task<> sleep_long(Clock& clock) {
  co_await clock.sleep_for(milliseconds(1'000'000));  // no result
  co_return Result<void>();
}

Task<> wait_once(Event& event) {
  co_await event.wait();  // no result
  co_return Result<void>();
}

Routine<> run_side_by_side(Clock& clock, Event& event) {
  std::vector<Task<>> tasks;
  tasks.push_back(sleep_long(clock));
  tasks.push_back(wait_once(event));
  (void)co_await all(std::move(tasks));  // they cannot fail
}

TEST(TaskGroup, AStopReachesTheTasksThatARoutineRunsSideBySide) {
  asio::io_context context;
  testing::SimClock clock;
  TaskGroup group(context.get_executor());
  Event event;
  group.spawn(run_side_by_side(clock, event));
  context.poll();
  EXPECT_EQ(clock.sleepers(), 1u);
  group.stop();
  context.poll();
  EXPECT_EQ(group.running(), 0u);
  EXPECT_EQ(clock.sleepers(), 0u);
}

Routine<> begin_late(TaskGroup& inner, Clock& clock, Event& begin, int& woken) {
  co_await begin.wait();  // no result
  inner.spawn(sleep_and_count(clock, inner, woken));
  co_await inner.join();  // no result
}

TEST(TaskGroup, AStoppedRoutineThatJoinsAnotherGroupStopsThatGroup) {
  asio::io_context context;
  testing::SimClock clock;
  TaskGroup outer(context.get_executor()), inner(context.get_executor());
  Event begin;
  int woken = 0;
  outer.spawn(begin_late(inner, clock, begin, woken));
  context.poll();
  outer.stop();  // before the inner group has anything to do
  context.poll();
  EXPECT_TRUE(inner.stopped());
  EXPECT_EQ(outer.running() + inner.running(), 0u);
}

Task<int> add_on_pool(Pool& pool) {
  co_return co_await pool.run([]() -> Result<int> { return 40; });
}

TEST(Pool, RunsWorkElsewhereAndResumesHere) {
  asio::io_context context;
  Pool pool(2);
  EXPECT_EQ(run_to_end(context, add_on_pool(pool)), 40);
}

TEST(BackOff, DoublesUpToItsBound) {
  EXPECT_EQ(back_off(0, milliseconds(8), milliseconds(1000)), milliseconds(8));
  EXPECT_EQ(back_off(3, milliseconds(8), milliseconds(1000)), milliseconds(64));
  EXPECT_EQ(back_off(100, milliseconds(8), milliseconds(1000)), milliseconds(1000));
}

}  // namespace
}  // namespace pegmove::async
