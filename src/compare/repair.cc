#include "compare/repair.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::compare {
namespace {

constexpr size_t kMostTaken = 1000;
constexpr size_t kMostTakenBytes = 1 << 20;  // of keys
constexpr uint32_t kExpired = 1;             // Pegasus seconds: in 2016

}  // namespace

Repair::Repair(TablePair tables, RepairOptions options, const async::StopSignal& stop)
    : tables_(std::move(tables)),
      options_(std::move(options)),
      stop_(stop),
      clock_(tables_.source->cluster().client().clock()) {}

Task<> Repair::take(Difference difference) {
  CO_TRY(record::check_hash_key(difference.hash_key));
  taken_.push_back(record::encode_key(difference.hash_key, difference.sort_key));
  taken_bytes_ += taken_.back().size();
  if (taken_.size() < kMostTaken && taken_bytes_ < kMostTakenBytes) co_return Result<void>();
  co_return co_await flush();
}

Task<> Repair::flush() {
  co_await flushing_.acquire(1);  // no result
  auto flushed = failed_ ? Result<void>(fail(*failed_)) : co_await flush_taken();
  flushing_.release(1);
  if (!flushed) failed_ = flushed.error();
  co_return flushed;
}

Task<> Repair::flush_taken() {
  taken_bytes_ = 0;
  auto keys = std::exchange(taken_, {});
  for (int round = 0; !keys.empty(); ++round) {
    auto written = CO_TRY(co_await repair_rows(keys, round == 0));
    if (options_.dry_run) co_return Result<void>();
    bool again = options_.live && round + 1 < options_.most_rounds;
    auto count = int64_t(written.size());
    auto differ = CO_TRY(co_await (options_.live ? read_back_live(std::move(written))
                                                 : read_back(std::move(written))));
    report_.agree_now += count - int64_t(differ.size());
    keys.clear();
    if (again) {
      for (auto& row : differ) keys.push_back(std::move(row.raw_key));
    } else {
      report_.differ_now += int64_t(differ.size());
      for (const auto& row : differ) leave(row.kind, row.raw_key);
    }
  }
  co_return Result<void>();
}

// Returns the keys that were written or deleted.
Task<std::vector<std::string>> Repair::repair_rows(const std::vector<std::string>& keys,
                                                   bool first_round) {
  std::vector<std::string> written;
  // outlives: what it refers to is awaited here
  auto one = [&](size_t index) -> Task<> {
    if (CO_TRY(co_await repair_row(keys[index], first_round))) written.push_back(keys[index]);
    co_return Result<void>();
  };
  CO_TRY(co_await for_each_at_once(keys.size(), options_.at_once, one));
  co_return written;
}

// Returns true when the row was written or deleted (or would have been). Later rounds are not
// counted by kind: the row was counted before.
Task<bool> Repair::repair_row(std::string raw_key, bool first_round) {
  if (stop_.requested()) co_return fail(Code::kInterrupted, "stopped on request");
  auto deadline = Deadline::in(clock_, options_.timeout);
  // The target first, so that the source is read just before the write.
  auto target = CO_TRY(co_await read_fingerprint(*tables_.target, raw_key, deadline));
  auto row = CO_TRY(co_await read_row(*tables_.source, raw_key, deadline));
  auto now = record::pegasus_seconds(clock_.unix_seconds());
  auto kind = options_.rule.compare(RowFingerprint::of(row), target, now);
  if (first_round) {
    ++report_.looked_at;
    if (!kind) ++report_.agreed_before;
  }
  if (!kind) co_return false;
  if (kind == DifferenceKind::kExtra)
    co_return co_await repair_extra(std::move(raw_key), deadline, first_round);
  if (!options_.dry_run) {
    auto parts = *record::split_key(raw_key);
    auto written = co_await write(raw_key, std::move(row->value), row->expire_ts, deadline);
    CO_TRY(in_context(std::move(written),
                      fmt::format("row \"{}\" : \"{}\"", base::printable(parts.hash_key),
                                  base::printable(parts.sort_key))));
  }
  if (first_round) {
    auto& count = kind == DifferenceKind::kMissing ? report_.missing
                  : kind == DifferenceKind::kValue ? report_.value
                                                   : report_.expiry;
    ++count;
  }
  co_return true;
}

Task<> Repair::write(std::string_view raw_key, std::string value, uint32_t expire_ts,
                     Deadline deadline) {
  auto& table = *tables_.target;
  const auto parts = *record::split_key(raw_key);
  if (!options_.through_duplicate) {
    CO_TRY(co_await table.set(std::string(parts.hash_key), std::string(parts.sort_key),
                              std::move(value), expire_ts, deadline));
    co_return Result<void>();
  }
  std::vector<client::RawRow> rows{{.key = raw_key, .value = value, .expire_ts = expire_ts}};
  const auto partition =
      record::partition_index(record::raw_key_hash(parts), table.partition_count());
  co_return co_await client::duplicate_rows(table, partition, std::move(rows),
                                            *options_.through_duplicate, deadline);
}

Task<bool> Repair::repair_extra(std::string raw_key, Deadline deadline, bool first_round) {
  if (!options_.delete_extra) {
    ++report_.extra_left;
    leave(DifferenceKind::kExtra, raw_key);
    co_return false;
  }
  if (!options_.dry_run) {
    auto parts = *record::split_key(raw_key);
    if (options_.through_duplicate)
      CO_TRY(co_await write(raw_key, "", kExpired, deadline));
    else
      CO_TRY(co_await tables_.target->del(std::string(parts.hash_key), std::string(parts.sort_key),
                                          deadline));
  }
  if (first_round) ++report_.extra_deleted;
  co_return true;
}

// Returns the rows that still differ.
Task<std::vector<Rechecked::Row>> Repair::read_back(std::vector<std::string> keys) {
  std::vector<Rechecked::Row> differ;
  // outlives: what it refers to is awaited here
  auto one = [&](size_t index) -> Task<> {
    auto deadline = Deadline::in(clock_, options_.timeout);
    auto source = CO_TRY(co_await read_fingerprint(*tables_.source, keys[index], deadline));
    auto target = CO_TRY(co_await read_fingerprint(*tables_.target, keys[index], deadline));
    auto now = record::pegasus_seconds(clock_.unix_seconds());
    if (auto kind = options_.rule.compare(source, target, now))
      differ.push_back({*kind, keys[index]});
    co_return Result<void>();
  };
  CO_TRY(co_await for_each_at_once(keys.size(), options_.at_once, one));
  co_return differ;
}

Task<std::vector<Rechecked::Row>> Repair::read_back_live(std::vector<std::string> keys) {
  std::vector<Candidate> candidates;
  for (auto& key : keys) candidates.push_back({std::move(key)});
  auto rechecked = CO_TRY(co_await recheck(*tables_.source, *tables_.target, std::move(candidates),
                                           options_.rule, *options_.live, stop_));
  report_.not_settled += rechecked.not_settled;
  report_.agree_now -= rechecked.not_settled;  // the caller counts what is not returned
  co_return std::move(rechecked.different);
}

void Repair::leave(DifferenceKind kind, std::string_view raw_key) {
  if (report_.left.size() < options_.most_listed)
    report_.left.push_back(Difference::of(kind, raw_key));
}

}  // namespace pegmove::compare
