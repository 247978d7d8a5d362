#include "async/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstdlib>
#include <exception>

namespace pegmove::async {
namespace {

// A stopped routine sees the end of its waits and returns by itself; nothing is thrown through it.
Routine<> without_throwing(Routine<> routine) {
  co_await asio::this_coro::throw_if_cancelled(false);  // no result
  co_await std::move(routine);                          // no result
}

}  // namespace

TaskGroup::~TaskGroup() {
  if (!running_.empty()) std::abort();  // a routine would refer to freed memory
}

void TaskGroup::spawn(Routine<> routine) {
  if (stopped_) return;
  auto signal = running_.emplace(running_.end());
  asio::co_spawn(
      executor_, without_throwing(std::move(routine)),
      asio::bind_cancellation_slot(signal->slot(), [this, signal](std::exception_ptr broken) {
        if (broken) std::rethrow_exception(broken);
        running_.erase(signal);
        one_ended_.notify_all();
      }));
}

void TaskGroup::stop() {
  if (std::exchange(stopped_, true)) return;
  // A routine may end, and leave the list, while it is signalled.
  for (auto next = running_.begin(); next != running_.end();) {
    auto& signal = *next++;
    signal.emit(asio::cancellation_type::terminal);
  }
}

Routine<> TaskGroup::join() {
  while (!running_.empty()) co_await one_ended_.wait();  // no result
}

}  // namespace pegmove::async
