// Coroutines of another executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "async/task.h"

namespace pegmove::async {

// Runs the routine on `executor`, perhaps that of another thread, and resumes the caller where it
// was. It runs to its end, even when the caller's group is stopped.
Routine<> run_on(asio::any_io_executor executor, Routine<> routine);

// The same, and returns its result.
template <typename T>
Routine<T> run_on(asio::any_io_executor executor, Routine<T> routine) {
  // Shared with the routine, which may outlive this coroutine.
  auto out = std::make_shared<std::optional<T>>();
  co_await run_on(std::move(executor), keep(std::move(routine), out));  // no result
  co_return *std::move(*out);
}

}  // namespace pegmove::async
