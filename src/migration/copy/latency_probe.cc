#include "migration/copy/latency_probe.h"

namespace pegmove::migration {
namespace {

using async::milliseconds;

constexpr milliseconds kBetweenQuestions{250};
// A server that has not answered by then is down rather than slow: the copy's requests report it.
constexpr milliseconds kLongestAnswer{2000};

}  // namespace

Routine<> probe_latency(std::shared_ptr<client::Table> table, rows::Throttler& throttler,
                        async::TaskGroup& group) {
  auto& clock = table->cluster().client().clock();
  int64_t busy = table->router().busy_answers();
  for (int64_t i = 0; !group.stopped(); ++i) {
    co_await clock.sleep_for(kBetweenQuestions);  // no result
    if (group.stopped()) co_return;
    const auto where = "cluster " + table->cluster().name();
    const auto asked = clock.now();
    auto answer = co_await table->exist("pegmove-latency-" + std::to_string(i % 1024), "",
                                        Deadline::in(clock, kLongestAnswer));
    if (auto now = table->router().busy_answers(); std::exchange(busy, now) != now)
      throttler.note_busy(where + " reports that it is busy");
    else if (answer)
      throttler.note_latency(std::chrono::duration_cast<milliseconds>(clock.now() - asked), where);
  }
}

}  // namespace pegmove::migration
