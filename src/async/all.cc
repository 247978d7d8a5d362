#include "async/all.h"

#include <boost/asio/this_coro.hpp>

#include "async/task_group.h"

namespace pegmove::async {
namespace {

Routine<> run_one(Task<> task, Result<void>& first_error) {
  auto result = co_await std::move(task);
  if (!result && first_error) first_error = std::move(result);
}

}  // namespace

Task<> all(std::vector<Task<>> tasks) {
  Result<void> result;
  TaskGroup group(co_await asio::this_coro::executor);
  for (auto& task : tasks) group.spawn(run_one(std::move(task), result));
  co_await group.join();  // no result
  co_return result;
}

}  // namespace pegmove::async
