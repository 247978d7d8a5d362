#include "async/run_on.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

namespace pegmove::async {

Routine<> run_on(asio::any_io_executor executor, Routine<> routine) {
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(  // no result
      [executor](auto handler, Routine<> routine) {
        asio::co_spawn(
            executor, std::move(routine),
            [handler = std::move(handler)](std::exception_ptr broken) mutable {
              if (broken) std::rethrow_exception(broken);
              auto home = asio::get_associated_executor(handler);
              asio::post(home, [handler = std::move(handler)]() mutable { std::move(handler)(); });
            });
      },
      asio::use_awaitable, std::move(routine));
}

}  // namespace pegmove::async
