// Task<T>: a coroutine that yields a Result<T>. Written with Asio's awaitable, so that it runs on
// any Asio executor. Rules that keep coroutines safe are in docs/ARCHITECTURE.md; the two that
// bite: parameters are taken by value (services by reference), and no co_await stands in a catch
// handler.
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

// A routine that yields nothing and puts what the other one yields behind `out`, a pointer to an
// optional: what runs routines does so for those without a result only, and is compiled once.
template <typename T, typename Out>
Routine<> keep(Routine<T> routine, Out out) {
  out->emplace(co_await std::move(routine));
}

}  // namespace pegmove::async

namespace pegmove {
using async::Routine;
using async::Task;
}  // namespace pegmove
