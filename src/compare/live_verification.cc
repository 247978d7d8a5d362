#include "compare/live_verification.h"

namespace pegmove::compare {

Task<LiveVerification> verify_and_repair_live(
    std::shared_ptr<client::Table> source, std::shared_ptr<client::Table> target,
    LiveVerificationOptions options, const async::StopSignal& stop,
    std::function<void(const CompareCounts& so_far, async::milliseconds elapsed)> listener) {
  const TablePair tables{.source = std::move(source), .target = std::move(target)};
  options.recheck.timeout = options.timeout;
  Repair repair(tables,
                {.delete_extra = options.delete_extra,
                 .rule = {.expiry_tolerance_s = options.expiry_tolerance_s},
                 .live = options.recheck,
                 .most_rounds = options.most_rounds,
                 .through_duplicate = options.through_duplicate,
                 .most_listed = options.most_listed,
                 .timeout = options.timeout},
                stop);
  auto found =
      CO_TRY(co_await compare(tables,
                              {.most_listed = options.most_listed,
                               .classes_at_once = options.classes_at_once,
                               .timeout = options.timeout,
                               .expiry_tolerance_s = options.expiry_tolerance_s,
                               .live = options.recheck},
                              stop, {.on_progress = std::move(listener), .sink = &repair}));
  CO_TRY(co_await repair.flush());
  co_return LiveVerification{.found = std::move(found), .repaired = repair.report()};
}

}  // namespace pegmove::compare
