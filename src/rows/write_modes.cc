#include "rows/write_modes.h"

#include <algorithm>

#include "async/all.h"
#include "async/for_each.h"
#include "base/bytes.h"
#include "client/put_if_absent.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::rows {
namespace {

using async::milliseconds;

Deadline deadline_of(client::Table& table, milliseconds timeout) {
  return Deadline::in(table.cluster().client().clock(), timeout);
}

Task<> put_if_absent(client::Table& table, RawRow row, Deadline deadline, int64_t& kept) {
  if (!CO_TRY(co_await client::put_if_absent(table, row, deadline))) ++kept;
  co_return Result<void>();
}

std::string_view hash_key_of(const RawRow& row) { return record::split_key(row.key)->hash_key; }

// Divides the rows, which are ordered by hash key and expiry, into requests.
std::vector<std::vector<RawRow>> group(const std::vector<RawRow>& rows, size_t max_bytes) {
  constexpr size_t kMostRows = 500;    // as in client::write_rows(): it does not divide again
  constexpr size_t kRowOverhead = 32;  // likewise
  std::vector<std::vector<RawRow>> groups;
  size_t bytes = 0;
  for (const auto& row : rows) {
    auto size = row.key.size() + row.value.size() + kRowOverhead;
    bool joins = !groups.empty() && !hash_key_of(row).empty() && groups.back().size() < kMostRows &&
                 bytes + size <= max_bytes && groups.back()[0].expire_ts == row.expire_ts &&
                 hash_key_of(groups.back()[0]) == hash_key_of(row);
    if (!joins) {
      groups.emplace_back();
      bytes = 0;
    }
    groups.back().push_back(row);
    bytes += size;
  }
  return groups;
}

// The two rows that represent a row of the common table.
class GeoWriter {
 public:
  GeoWriter(client::Table& common, const GeoTarget& geo, milliseconds timeout)
      : common_(common), geo_(geo), timeout_(timeout) {}

  Task<> write(RawRow row) {
    CO_TRY(co_await remove_old(row));
    std::vector<Task<>> writes;
    writes.push_back(put(common_, row));
    auto key = geo::geo_key(geo_.layout, row.key, row.value);
    std::string raw_key = key ? record::encode_key(key->hash_key, key->sort_key) : std::string();
    if (key)
      writes.push_back(put(*geo_.table, {raw_key, row.value, row.expire_ts}));
    else
      ++not_geo_;
    co_return co_await async::all(std::move(writes));
  }

  int64_t not_geo() const { return not_geo_; }

 private:
  // The old value in the common table gives the key of its geo row, which may differ from the key
  // of the new one.
  Task<> remove_old(RawRow row) {
    auto key = *record::split_key(row.key);
    auto old = CO_TRY(co_await common_.get(std::string(key.hash_key), std::string(key.sort_key),
                                           deadline_of(common_, timeout_)));
    if (!old.value) co_return Result<void>();
    auto old_key = geo::geo_key(geo_.layout, row.key, *old.value);
    if (!old_key) co_return Result<void>();
    auto removed = co_await geo_.table->del(old_key->hash_key, old_key->sort_key,
                                            deadline_of(*geo_.table, timeout_));
    CO_TRY(in_context(std::move(removed), "geo table '" + geo_.table->name() + "'"));
    co_return Result<void>();
  }

  Task<> put(client::Table& table, RawRow row) {
    auto partition = record::partition_index(record::raw_key_hash(*record::split_key(row.key)),
                                             table.partition_count());
    co_return co_await client::write_rows(table, partition, {row}, 0, deadline_of(table, timeout_));
  }

  client::Table& common_;
  const GeoTarget& geo_;
  milliseconds timeout_;
  int64_t not_geo_ = 0;
};

}  // namespace

Task<int64_t> write_absent(client::Table& table, std::vector<RawRow> rows, size_t at_once,
                           milliseconds timeout) {
  int64_t kept = 0;
  CO_TRY(co_await async::for_each(rows.size(), at_once, [&](size_t i) {
    return put_if_absent(table, rows[i], deadline_of(table, timeout), kept);
  }));
  co_return kept;
}

Task<> write_multi_sets(client::Table& table, std::vector<RawRow> rows, size_t max_request_bytes,
                        size_t at_once, milliseconds timeout) {
  std::ranges::sort(rows, [](const RawRow& a, const RawRow& b) {
    return std::tuple(hash_key_of(a), a.expire_ts, a.key) <
           std::tuple(hash_key_of(b), b.expire_ts, b.key);
  });
  auto groups = group(rows, max_request_bytes);
  co_return co_await async::for_each(groups.size(), at_once, [&](size_t i) {
    auto hash = record::raw_key_hash(*record::split_key(groups[i][0].key));
    return client::write_rows(table, record::partition_index(hash, table.partition_count()),
                              std::move(groups[i]), max_request_bytes, deadline_of(table, timeout));
  });
}

Task<int64_t> write_geo(client::Table& common, const GeoTarget& geo, std::vector<RawRow> rows,
                        size_t at_once, milliseconds timeout) {
  GeoWriter writer(common, geo, timeout);
  CO_TRY(co_await async::for_each(rows.size(), at_once,
                                  [&](size_t i) { return writer.write(rows[i]); }));
  co_return writer.not_geo();
}

}  // namespace pegmove::rows
