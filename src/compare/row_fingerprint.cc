#include "compare/row_fingerprint.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "async/all.h"
#include "base/bytes.h"
#include "record/expiry.h"
#include "record/key.h"

namespace pegmove::compare {
namespace {

struct Cursor {
  size_t next = 0;
  size_t count;
  bool failed = false;
};

Task<> work_off(Cursor& cursor, const std::function<Task<>(size_t)>& work) {
  while (cursor.next < cursor.count && !cursor.failed) {
    auto done = co_await work(cursor.next++);
    if (!done) cursor.failed = true;
    CO_TRY(std::move(done));
  }
  co_return Result<void>();
}

}  // namespace

RowFingerprint RowFingerprint::of(const std::optional<RowState>& row) {
  if (!row) return {};
  auto sum = XXH3_128bits(row->value.data(), row->value.size());
  return {.exists = true,
          .expire_ts = row->expire_ts,
          .value_sum = {.low = sum.low64, .high = sum.high64}};
}

bool RowRule::same_expiry(uint32_t a, uint32_t b) const {
  if (a == b) return true;
  return a != 0 && b != 0 && std::max(a, b) - std::min(a, b) <= expiry_tolerance_s;
}

bool RowRule::expires_about(uint32_t expire_ts, uint32_t now_ts) {
  return record::is_expired(expire_ts, now_ts + kExpiryMarginSeconds) &&
         uint64_t{expire_ts} + kLongAgoSeconds > now_ts;
}

std::optional<DifferenceKind> RowRule::compare(const RowFingerprint& source,
                                               const RowFingerprint& target,
                                               uint32_t now_ts) const {
  if (source.exists != target.exists) {
    const auto& single = source.exists ? source : target;
    if (expires_about(single.expire_ts, now_ts)) return std::nullopt;
    return source.exists ? DifferenceKind::kMissing : DifferenceKind::kExtra;
  }
  if (source.value_sum != target.value_sum) return DifferenceKind::kValue;
  if (!same_expiry(source.expire_ts, target.expire_ts)) return DifferenceKind::kExpiry;
  return std::nullopt;
}

Task<std::optional<RowState>> read_row(client::Table& table, std::string raw_key,
                                       Deadline deadline) {
  auto parts = record::split_key(raw_key);
  if (!parts)
    co_return fail(Code::kInvalidArgument,
                   fmt::format("\"{}\" is not a raw key", base::printable(raw_key)));
  auto target = table.router().target_of(record::raw_key_hash(*parts));
  client::ScanRange range{.start = raw_key,
                          .stop = std::move(raw_key),
                          .start_inclusive = true,
                          .stop_inclusive = true};
  // A batch of two: with one, servers would keep a context for a row that cannot exist.
  auto scanner =
      table.scan_range(target, std::move(range), {.batch_size = 2, .return_expire_ts = true});
  while (auto batch = CO_TRY(co_await scanner->next(deadline)))
    if (!batch->rows.empty())
      co_return RowState{.value = std::string(batch->rows[0].value),
                         .expire_ts = batch->rows[0].expire_ts};
  co_return std::nullopt;
}

Task<RowFingerprint> read_fingerprint(client::Table& table, std::string raw_key,
                                      Deadline deadline) {
  co_return RowFingerprint::of(CO_TRY(co_await read_row(table, std::move(raw_key), deadline)));
}

Task<> for_each_at_once(size_t count, size_t at_once, std::function<Task<>(size_t index)> work) {
  Cursor cursor{.count = count};
  std::vector<Task<>> workers;
  for (size_t i = 0; i < std::min(count, std::max<size_t>(1, at_once)); ++i)
    workers.push_back(work_off(cursor, work));
  co_return co_await async::all(std::move(workers));
}

}  // namespace pegmove::compare
