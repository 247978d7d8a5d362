// From blocking code into coroutines: for mains, the blocking API and tests.
#pragma once

#include <boost/asio/io_context.hpp>
#include <optional>
#include <utility>

#include "async/task.h"

namespace pegmove::async {

// Runs the coroutine on the context, on this thread, until it has ended. Other work of the context
// runs meanwhile. Precondition: nobody else runs the context.
void run_to_end(asio::io_context& context, Routine<> routine);

// The same, and returns its result.
template <typename T>
T run_to_end(asio::io_context& context, Routine<T> routine) {
  std::optional<T> out;
  run_to_end(context, keep(std::move(routine), &out));
  return *std::move(out);
}

}  // namespace pegmove::async
