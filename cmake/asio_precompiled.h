// As precompiled.h, for folders with coroutines. Apart, since each object that has seen Asio wants
// its compiled code (async/asio.cc) linked.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "async/clock.h"
#include "async/context_thread.h"
#include "async/pool.h"
#include "async/run.h"
#include "async/semaphore.h"
#include "async/task_group.h"
#include "precompiled.h"

// Templates that nearly every source would instantiate again.
inline boost::asio::any_io_executor precompiled_executor(boost::asio::io_context& context) {
  return context.get_executor();
}
inline pegmove::Task<> precompiled_task(pegmove::Task<> task) {
  CO_TRY(co_await std::move(task));
  co_return pegmove::Result<void>();
}
