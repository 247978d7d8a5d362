// Event: lets coroutines wait for a notification. All on one executor, no locks.
#pragma once

#include <functional>
#include <list>

#include "async/task.h"

namespace pegmove::async {

// notify() wakes the coroutine that has waited longest; when none waits, the next wait() returns at
// once (one, however often notify() was called). TaskGroup::stop() wakes its waiting coroutines,
// too. So a waiter checks its condition again, and whether its group is stopped: a wait() that
// begins after the stop is not ended by it.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void notify();
  // Wakes all current waiters, and no later one.
  void notify_all();
  Routine<> wait();

 private:
  std::list<std::move_only_function<void()>> waiters_;  // each posts its coroutine's resumption
  bool is_set_ = false;
};

}  // namespace pegmove::async
