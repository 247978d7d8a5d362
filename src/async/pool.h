// Pool: the threads for calls that block (RocksDB, files, name lookups).
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>

#include "async/task.h"

namespace boost::asio {
class thread_pool;
}

namespace pegmove::async {

// Safe from any thread. The destructor runs what was posted before, then joins.
class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();

  // Runs `work` on a thread of the pool, soon.
  void post(std::move_only_function<void()> work);

  // Runs `work` on a thread of the pool and resumes the caller where it was. `work` returns a
  // Result<T> and is always run to its end, whatever becomes of the caller's wish to stop.
  template <typename Work, typename Out = std::invoke_result_t<Work>>
  asio::awaitable<Out> run(Work work) {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Out)>(
        [this](auto handler, Work work) {
          post([handler = std::move(handler), work = std::move(work)]() mutable {
            auto executor = asio::get_associated_executor(handler);
            asio::post(executor, [handler = std::move(handler), out = work()]() mutable {
              std::move(handler)(std::move(out));
            });
          });
        },
        asio::use_awaitable, std::move(work));
  }

 private:
  std::unique_ptr<asio::thread_pool> threads_;
};

}  // namespace pegmove::async
