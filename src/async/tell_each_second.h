// Reports the progress of long work once per second.
#pragma once

#include <functional>

#include "async/clock.h"
#include "async/task_group.h"

namespace pegmove::async {

// Runs in `group` until that is stopped.
Routine<> tell_each_second(Clock& clock, async::TaskGroup& group, std::function<void()> tell);

}  // namespace pegmove::async
