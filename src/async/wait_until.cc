#include "async/wait_until.h"

#include <boost/asio/this_coro.hpp>

#include "async/task_group.h"

namespace pegmove::async {
namespace {

Routine<> notify_at(Clock& clock, Deadline deadline, Event& event) {
  co_await clock.sleep_until(deadline.at);  // no result
  event.notify_all();
}

}  // namespace

Routine<> wait_until(Event& event, Clock& clock, Deadline deadline, std::function<bool()> is_over) {
  if (is_over() || deadline.passed(clock)) co_return;
  TaskGroup timer(co_await asio::this_coro::executor);
  timer.spawn(notify_at(clock, deadline, event));
  while (!is_over() && !deadline.passed(clock)) co_await event.wait();  // no result
  timer.stop();
  co_await timer.join();  // no result
}

}  // namespace pegmove::async
