#include "compare/recheck.h"

#include <algorithm>

#include "record/expiry.h"

namespace pegmove::compare {
namespace {

using async::Instant;
using async::milliseconds;

constexpr milliseconds kFirstPause{100};  // most rows agree at once: a reply was in transit
constexpr milliseconds kStopPause{500};   // how often the stop signal is checked

struct Watched {
  std::string raw_key;
  RowFingerprint source{}, target{};
  int same_reads = 0;  // pairs of reads that found the state above
  Instant since{};     // the first of them
  std::optional<DifferenceKind> kind{};
  bool over = false;
};

class Rechecking {
 public:
  Rechecking(client::Table& source, client::Table& target, RowRule rule, RecheckOptions options,
             const async::StopSignal& stop)
      : source_(source),
        target_(target),
        rule_(rule),
        options_(options),
        stop_(stop),
        clock_(source.cluster().client().clock()) {}

  Task<Rechecked> run(std::vector<Candidate> candidates) {
    std::vector<Watched> rows;
    for (auto& candidate : candidates) rows.push_back({.raw_key = std::move(candidate.raw_key)});
    const auto deadline = Deadline::in(clock_, options_.settle_for);
    for (int round = 0; !rows.empty(); ++round) {
      CO_TRY(co_await pause(round));
      // outlives: the rows and this are awaited below
      CO_TRY(co_await for_each_at_once(rows.size(), options_.at_once,
                                       [&](size_t index) { return look_at(rows[index]); }));
      std::erase_if(rows, [](const Watched& row) { return row.over; });
      if (!deadline.passed(clock_)) continue;
      rechecked_.not_settled += int64_t(rows.size());
      break;
    }
    co_return std::move(rechecked_);
  }

 private:
  // Spread so that the required reads span the lag.
  Task<> pause(int round) {
    auto between = options_.lag / std::max(1, options_.reads - 1) + milliseconds(1);
    auto length = round == 0 ? std::min(kFirstPause, between) : between;
    for (auto until = Deadline::in(clock_, length); !until.passed(clock_);) {
      if (stop_.requested()) co_return fail(Code::kInterrupted, "stopped on request");
      co_await clock_.sleep_for(
          std::min(kStopPause, until.left(clock_) + milliseconds(1)));  // no result
    }
    co_return Result<void>();
  }

  Task<> look_at(Watched& row) {
    if (stop_.requested()) co_return fail(Code::kInterrupted, "stopped on request");
    const auto began = clock_.now();
    auto deadline = Deadline::in(clock_, options_.timeout);
    auto source = CO_TRY(co_await read_fingerprint(source_, row.raw_key, deadline));
    auto target = CO_TRY(co_await read_fingerprint(target_, row.raw_key, deadline));
    auto kind = rule_.compare(source, target, record::pegasus_seconds(clock_.unix_seconds()));
    if (!kind) {
      row.over = true;
      ++rechecked_.agreed;
      co_return Result<void>();
    }
    if (row.same_reads == 0 || source != row.source || target != row.target) {
      row.source = source;
      row.target = target;
      row.kind = kind;
      row.same_reads = 1;
      row.since = clock_.now();
      co_return Result<void>();
    }
    ++row.same_reads;
    // From the end of the first pair to the beginning of the last: a write in transit had that
    // long.
    if (row.same_reads < std::max(2, options_.reads) || began - row.since < options_.lag)
      co_return Result<void>();
    row.over = true;
    rechecked_.different.push_back({*kind, row.raw_key});
    co_return Result<void>();
  }

  client::Table& source_;
  client::Table& target_;
  RowRule rule_;
  RecheckOptions options_;
  const async::StopSignal& stop_;
  Clock& clock_;
  Rechecked rechecked_;
};

}  // namespace

Task<Rechecked> recheck(client::Table& source, client::Table& target,
                        std::vector<Candidate> candidates, RowRule rule, RecheckOptions options,
                        const async::StopSignal& stop) {
  Rechecking rechecking(source, target, rule, options, stop);
  co_return co_await rechecking.run(std::move(candidates));
}

}  // namespace pegmove::compare
