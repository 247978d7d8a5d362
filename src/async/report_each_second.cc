#include "async/report_each_second.h"

namespace pegmove::async {

Routine<> report_each_second(Clock& clock, async::TaskGroup& group, std::function<void()> report) {
  while (true) {
    co_await clock.sleep_for(async::milliseconds(1000));  // no result
    if (group.stopped()) co_return;
    report();
  }
}

}  // namespace pegmove::async
