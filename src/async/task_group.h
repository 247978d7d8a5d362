// TaskGroup: the coroutines that run in somebody's background. Every one of them lives in a group,
// and a group is stopped and joined before its owner goes: nothing outlives what it refers to.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <list>

#include "async/event.h"
#include "async/task.h"

namespace pegmove::async {

// All on one executor. Order: spawn() as often as needed; stop(); co_await join(); destroy.
class TaskGroup {
 public:
  explicit TaskGroup(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();  // precondition: nothing runs any more

  // After stop() the routine is dropped without having begun.
  void spawn(Routine<> routine);
  // Asks everything to end: sleeps return at once; stopped() is what loops ask. Repeatable.
  void stop();
  bool stopped() const { return stopped_; }
  size_t running() const { return running_.size(); }
  // Returns when the last routine has ended.
  Routine<> join();

 private:
  asio::any_io_executor executor_;
  std::list<asio::cancellation_signal> running_;
  bool stopped_ = false;
  Event one_ended_;
};

}  // namespace pegmove::async
