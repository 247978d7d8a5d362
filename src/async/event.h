// Event: lets coroutines wait until somebody says so. All on one executor, no locks.
#pragma once

#include <functional>
#include <list>

#include "async/task.h"

namespace pegmove::async {

// notify() wakes the coroutine that has waited longest; when none waits, the next wait() passes at
// once (one, however often notify() was called).
//
// TaskGroup::stop() wakes its coroutines that wait, too. So a waiter looks at its condition again,
// and whether its group is stopped: a wait() that begins after the stop is not ended by it.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void notify();
  // Wakes everybody who waits now, and lets nobody else pass.
  void notify_all();
  Routine<> wait();

 private:
  std::list<std::move_only_function<void()>> waiters_;  // each resumes its coroutine, by a post
  bool is_set_ = false;
};

}  // namespace pegmove::async
