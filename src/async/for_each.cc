#include "async/for_each.h"

#include <algorithm>

#include "async/all.h"

namespace pegmove::async {
namespace {

// Shared by the workers.
struct Queue {
  size_t next = 0;
  size_t count = 0;
  bool failed = false;
};

Task<> work(Queue& queue, const std::function<Task<>(size_t)>& do_one) {
  while (queue.next < queue.count && !queue.failed) {
    auto done = co_await do_one(queue.next++);
    if (!done) {
      queue.failed = true;
      co_return done;
    }
  }
  co_return Result<void>();
}

}  // namespace

Task<> for_each(size_t count, size_t at_once, std::function<Task<>(size_t)> do_one) {
  Queue queue{.count = count};
  std::vector<Task<>> workers;
  for (size_t i = 0; i < std::min(count, std::max<size_t>(at_once, 1)); ++i)
    workers.push_back(work(queue, do_one));
  co_return co_await all(std::move(workers));
}

}  // namespace pegmove::async
