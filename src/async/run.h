// From blocking code into coroutines: for mains, the blocking API and tests.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>

#include "async/task.h"

namespace pegmove::async {

// Runs the coroutine on the context, on this thread, until it has ended; returns what it returned.
// Whatever else runs on the context runs meanwhile. Precondition: nobody else runs the context.
template <typename T>
T run_to_end(asio::io_context& context, asio::awaitable<T> routine) {
  std::optional<T> out;
  asio::co_spawn(context, std::move(routine), [&](std::exception_ptr broken, T value) {
    if (broken) std::rethrow_exception(broken);
    out.emplace(std::move(value));
    context.stop();
  });
  context.restart();
  context.run();
  return std::move(*out);
}

}  // namespace pegmove::async
