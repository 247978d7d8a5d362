// TaskGroup: background coroutines. Each of them belongs to a group, and a group is stopped and
// joined before its owner is destroyed: nothing outlives what it refers to.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <list>

#include "async/event.h"
#include "async/task.h"

namespace pegmove::async {

// All on one executor. Order: spawn() as often as needed; stop(); co_await join(); destroy.
//
// What stop() does to a routine: its current wait ends at once, whether a sleep, an Event, a read
// or the join() of another group, which is then stopped, too. Nothing is thrown, and later waits of
// the routine are not shortened; so loops check stopped(). Not ended, but waited for: work on a
// Pool, run_on(), Semaphore::acquire(), calls of an RpcChannel.
class TaskGroup {
 public:
  explicit TaskGroup(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();  // precondition: nothing runs any more

  // A routine that has not begun when the group is stopped is dropped.
  void spawn(Routine<> routine);
  // Asks everything to end. Repeatable.
  void stop();
  bool stopped() const { return stopped_; }
  size_t running() const { return running_.size(); }
  // Returns when the last routine has ended. A stop of the caller's own group is passed on to this
  // group.
  Routine<> join();

 private:
  struct Running {
    asio::cancellation_signal signal{};
    bool has_begun = false;
  };
  Routine<> run(Routine<> routine, Running& running);

  asio::any_io_executor executor_;
  std::list<Running> running_;
  bool stopped_ = false;
  Event one_ended_;
};

}  // namespace pegmove::async
