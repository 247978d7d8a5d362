// Reports the progress of long work once per second.
#pragma once

#include <functional>

#include "async/clock.h"
#include "async/task_group.h"

namespace pegmove::async {

// Runs in `group` until that is stopped.
Routine<> report_each_second(Clock& clock, async::TaskGroup& group, std::function<void()> report);

}  // namespace pegmove::async
