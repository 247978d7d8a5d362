#include "client/bulk_write.h"

#include "base/bytes.h"
#include "client/row_groups.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::client {
namespace {

bool same_hash_key(const RawRow& a, const RawRow& b) {
  auto size = record::kHashKeyLengthSize + base::load_big_endian<uint16_t>(a.key.data());
  return b.key.size() >= size && a.key.substr(0, size) == b.key.substr(0, size);
}

// MULTI_PUT needs a hash key, so rows without one are sent alone.
bool may_join(const RawRow& first, const RawRow& next) {
  return first.expire_ts == next.expire_ts &&
         base::load_big_endian<uint16_t>(first.key.data()) != 0 && same_hash_key(first, next);
}

// The rows of a group have one hash key and one expiry.
RowGroup take_group(std::span<const RawRow>& rest, size_t max_bytes) {
  constexpr size_t kMostRows = 500;
  constexpr size_t kOverhead = 32;  // field headers of a row, rounded up
  size_t count = 1, bytes = rest[0].key.size() + rest[0].value.size() + kOverhead;
  for (; count < rest.size() && count < kMostRows; ++count) {
    bytes += rest[count].key.size() + rest[count].value.size() + kOverhead;
    if (bytes > max_bytes || !may_join(rest[0], rest[count])) break;
  }
  auto group = rest.first(count);
  rest = rest.subspan(count);
  return group;
}

WriteForm::Encoded encode(RowGroup group, std::string& body) {
  body.clear();
  auto parts = *record::split_key(group[0].key);
  auto hash = record::raw_key_hash(parts);
  if (group.size() == 1) {
    wire::append_put(body, {group[0].key, group[0].value, group[0].expire_ts}, 0);
    return {wire::RpcCode::kPut, hash};
  }
  wire::MultiPutView put{.hash_key = parts.hash_key, .rows = {}, .expire_ts = group[0].expire_ts};
  put.rows.reserve(group.size());
  for (const auto& row : group)
    put.rows.push_back(
        {row.key.substr(record::kHashKeyLengthSize + parts.hash_key.size()), row.value, 0});
  wire::append_multi_put(body, put, 0);
  return {wire::RpcCode::kMultiPut, hash};
}

Result<void> check_written(const net::IncomingReply& reply) {
  auto update = TRY(wire::decode_update_reply(reply.body.view));
  if (update.error != 0) return fail(wire::to_error(wire::StorageStatus(update.error), "write"));
  return {};
}

}  // namespace

Task<> write_rows(Table& table, int32_t partition_index, std::vector<RawRow> rows,
                  size_t max_request_bytes, Deadline deadline, JoinThreshold::Batch* batch) {
  std::vector<RowGroup> groups;
  for (std::span<const RawRow> rest(rows); !rest.empty();) {
    const auto group = take_group(rest, max_request_bytes);
    if (!batch || batch->joins(group.size()))
      groups.push_back(group);
    else
      for (size_t i = 0; i < group.size(); ++i) groups.push_back(group.subspan(i, 1));
  }
  WriteForm form{.encode = encode, .check = check_written};
  co_return co_await write_groups(table, partition_index, std::move(groups), std::move(form),
                                  deadline);
}

}  // namespace pegmove::client
