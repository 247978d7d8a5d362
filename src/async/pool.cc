#include "async/pool.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace pegmove::async {

Pool::Pool(int threads) : threads_(std::make_unique<asio::thread_pool>(size_t(threads))) {}
Pool::~Pool() { finish(); }

void Pool::finish() { threads_->join(); }

void Pool::post(std::move_only_function<void()> work) { asio::post(*threads_, std::move(work)); }

Routine<> Pool::carry_out(std::move_only_function<void()> work) {
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(  // no result
      [this](auto handler, std::move_only_function<void()> work) {
        post([handler = std::move(handler), work = std::move(work)]() mutable {
          work();
          work = nullptr;  // its captures are destroyed before the caller resumes
          auto home = asio::get_associated_executor(handler);
          asio::post(home, [handler = std::move(handler)]() mutable { std::move(handler)(); });
        });
      },
      asio::use_awaitable, std::move(work));
}

}  // namespace pegmove::async
