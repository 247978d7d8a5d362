#include "client/foreign_rows.h"

#include "async/for_each.h"
#include "data_types.h"
#include "record/key.h"

namespace pegmove::client {
namespace {

constexpr size_t kReadsAtOnce = 64;
constexpr async::milliseconds kLongestSearch{5'000};

// A TTL: the answer is small, whatever the value.
Task<> find_home(PartitionRouter& router, ForeignRow& row, Deadline deadline) {
  const auto parts = record::split_key(row.key);
  if (!parts) co_return Result<void>();  // no partition is its own
  const auto reply = CO_TRY(co_await router.call(router.target_of(record::raw_key_hash(*parts)),
                                                 wire::RpcCode::kTtl,
                                                 wire::encode_body(wire::blob{row.key}), deadline));
  const auto found = CO_TRY(wire::decode_body<wire::ttl_response>(reply.body.view));
  if (found.error == int32_t(wire::StorageStatus::kOk))
    row.home = ForeignRow::Home::kHasRow;
  else if (found.error == int32_t(wire::StorageStatus::kNotFound))
    row.home = ForeignRow::Home::kHasNone;
  co_return Result<void>();
}

}  // namespace

void ForeignRows::add(const ForeignRow& row) {
  ++rows;
  note(row);
}

void ForeignRows::note(const ForeignRow& row) {
  read += row.home != ForeignRow::Home::kNotRead;
  if (row.home != ForeignRow::Home::kHasNone) return;
  ++strays;
  list(row.key);
}

void ForeignRows::list(const std::string& key) {
  if (stray_keys.size() >= kMostListed) return;
  size_t bytes = key.size();
  for (const auto& listed : stray_keys) bytes += listed.size();
  if (bytes <= kMostListedBytes) stray_keys.push_back(key);
}

ForeignRows& ForeignRows::operator+=(const ForeignRows& other) {
  rows += other.rows;
  read += other.read;
  strays += other.strays;
  for (const auto& key : other.stray_keys) list(key);
  return *this;
}

Routine<> find_homes(PartitionRouter& router, std::span<ForeignRow> rows, Deadline deadline) {
  const auto until =
      deadline.earlier(Deadline::in(router.cluster().client().clock(), kLongestSearch));
  co_await async::for_each(rows.size(), kReadsAtOnce, [&](size_t i) {  // no result
    return find_home(router, rows[i], until);
  });
}

}  // namespace pegmove::client
