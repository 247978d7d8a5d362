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
#include "async/run.h"
#include "precompiled.h"
