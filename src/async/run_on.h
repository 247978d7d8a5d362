// Coroutines of another executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include "async/task.h"

namespace pegmove::async {

// Runs the routine on `executor`, perhaps that of another thread, and resumes the caller where it
// was. It runs to its end, whatever becomes of the caller's wish to stop.
template <typename T>
asio::awaitable<T> run_on(asio::any_io_executor executor, asio::awaitable<T> routine) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(T)>(
      [executor](auto handler, asio::awaitable<T> routine) {
        asio::co_spawn(
            executor, std::move(routine),
            [handler = std::move(handler)](std::exception_ptr broken, T value) mutable {
              if (broken) std::rethrow_exception(broken);
              auto home = asio::get_associated_executor(handler);
              asio::post(home, [handler = std::move(handler), value = std::move(value)]() mutable {
                std::move(handler)(std::move(value));
              });
            });
      },
      asio::use_awaitable, std::move(routine));
}

}  // namespace pegmove::async
