#include "async/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstdlib>
#include <exception>

namespace pegmove::async {

// Stopping ends a routine's waits, and it returns normally; nothing is thrown through it.
Routine<> TaskGroup::run(Routine<> routine, Running& running) {
  co_await asio::this_coro::throw_if_cancelled(false);  // no result
  running.has_begun = true;
  if (!stopped_) co_await std::move(routine);  // no result
}

TaskGroup::~TaskGroup() {
  if (!running_.empty()) std::abort();  // a routine would refer to freed memory
}

void TaskGroup::spawn(Routine<> routine) {
  if (stopped_) return;
  auto running = running_.emplace(running_.end());
  asio::co_spawn(executor_, run(std::move(routine), *running),
                 asio::bind_cancellation_slot(
                     running->signal.slot(), [this, running](std::exception_ptr broken) {
                       if (broken) std::rethrow_exception(broken);
                       std::list<Running> ended;
                       ended.splice(ended.end(), running_, running);
                       // Asio has posted what stop() signalled, with a raw pointer into the signal:
                       // destroy the signal after that.
                       if (stopped_) asio::post(executor_, [ended = std::move(ended)] {});
                       one_ended_.notify_all();
                     }));
}

void TaskGroup::stop() {
  if (std::exchange(stopped_, true)) return;
  // A routine may end, and leave the list, while it is signalled.
  for (auto next = running_.begin(); next != running_.end();) {
    auto& running = *next++;
    // A routine that is signalled before it has called throw_if_cancelled(false) would throw.
    if (running.has_begun) running.signal.emit(asio::cancellation_type::terminal);
  }
}

Routine<> TaskGroup::join() {
  while (!running_.empty()) {
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) stop();
    co_await one_ended_.wait();  // no result
  }
}

}  // namespace pegmove::async
