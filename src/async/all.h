// Several tasks at once.
#pragma once

#include <vector>

#include "async/task.h"

namespace pegmove::async {

// Runs the tasks concurrently on the caller's executor and returns when all have ended: the first
// error, or success. A stop of the caller's task group is passed on to the tasks.
Task<> all(std::vector<Task<>> tasks);

}  // namespace pegmove::async
