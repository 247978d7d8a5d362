// Pool: the threads for calls that block (RocksDB, files, name lookups).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

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
  // Blocks until all that was posted, also by that work, has run. What is posted later never runs.
  void finish();

  // Runs `work` on a thread of the pool and resumes the caller where it was. `work` returns a
  // Result<T> and always runs to its end, even when the caller's group is stopped.
  template <typename Work, typename Out = std::invoke_result_t<Work>>
  Routine<Out> run(Work work) {
    // Shared with the work, which may outlive this coroutine.
    auto out = std::make_shared<std::optional<Out>>();
    co_await carry_out(
        [out, work = std::move(work)]() mutable { out->emplace(work()); });  // no result
    co_return *std::move(*out);
  }

 private:
  Routine<> carry_out(std::move_only_function<void()> work);

  std::unique_ptr<asio::thread_pool> threads_;
};

}  // namespace pegmove::async
