// Many small tasks, some of them at once.
#pragma once

#include <functional>

#include "async/task.h"

namespace pegmove::async {

// Runs tasks 0 to count - 1 on the caller's executor, started in this order, at most `at_once` (at
// least one) concurrently. After the first error no more are started; returns when those under way
// have ended, with that error.
Task<> for_each(size_t count, size_t at_once, std::function<Task<>(size_t index)> do_one);

}  // namespace pegmove::async
