#include "async/tell_each_second.h"

namespace pegmove::async {

Routine<> tell_each_second(Clock& clock, async::TaskGroup& group, std::function<void()> tell) {
  while (true) {
    co_await clock.sleep_for(async::milliseconds(1000));  // no result
    if (group.stopped()) co_return;
    tell();
  }
}

}  // namespace pegmove::async
