// Task<T>: a coroutine that yields a Result<T>. Written with Asio's awaitable, so that it runs on
// any Asio executor. Rules that keep coroutines safe are in docs/ARCHITECTURE.md; the two most
// important: parameters are taken by value (services by reference), and there is no co_await in a
// catch handler.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "base/result.h"

namespace pegmove {
namespace asio = boost::asio;
}

namespace pegmove::async {

template <typename T = void>
using Task = asio::awaitable<Result<T>>;

// A coroutine that cannot fail, or that handles its errors itself.
template <typename T = void>
using Routine = asio::awaitable<T>;

// A routine without a result that stores the other one's result in `out`, a pointer to an optional:
// code that runs routines handles only those without a result, and is compiled once.
template <typename T, typename Out>
Routine<> keep(Routine<T> routine, Out out) {
  out->emplace(co_await std::move(routine));
}

}  // namespace pegmove::async

namespace pegmove {
using async::Routine;
using async::Task;
}  // namespace pegmove
