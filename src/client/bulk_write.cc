#include "client/bulk_write.h"

#include <algorithm>
#include <span>

#include "base/bytes.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::client {
namespace {

using wire::ErrorCode;

// One request's rows: neighbours of one hash key and one expiry.
using Group = std::span<const RawRow>;

bool same_hash_key(const RawRow& a, const RawRow& b) {
  auto size = record::kHashKeyLengthSize + base::load_big_endian<uint16_t>(a.key.data());
  return b.key.size() >= size && a.key.substr(0, size) == b.key.substr(0, size);
}

// MULTI_PUT needs a hash key, so rows without one go alone.
bool may_join(const RawRow& first, const RawRow& next) {
  return first.expire_ts == next.expire_ts &&
         base::load_big_endian<uint16_t>(first.key.data()) != 0 && same_hash_key(first, next);
}

Group take_group(std::span<const RawRow>& rest, size_t max_bytes) {
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

struct Encoded {
  wire::RpcCode code;
  uint64_t hash;
};

Encoded encode(Group group, std::string& body) {
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

// Requests under way; lives until each is answered.
struct Flight {
  size_t under_way = 0;
  size_t first_failed = SIZE_MAX;  // by place among the groups
  std::optional<Error> error;
  async::Event landed;

  void land(size_t place, Result<net::IncomingReply> reply) {
    --under_way;
    if (!reply || reply->error != ErrorCode::kOk) {
      first_failed = std::min(first_failed, place);
    } else if (auto written = check_written(*reply); !written && !error) {
      error = std::move(written).error();
    }
    if (under_way == 0) landed.notify();
  }
};

Task<> write_again(Table& table, int32_t partition_index, Group group, Deadline deadline) {
  std::string body;
  auto [code, hash] = encode(group, body);
  auto size = body.size();
  auto reply =
      co_await table.router().call({partition_index, hash}, code, std::move(body), deadline);
  if (reply) co_return check_written(*reply);
  if (reply.error().wire_code() != int(ErrorCode::kInvalidData))
    co_return fail(std::move(reply).error());
  auto parts = *record::split_key(group[0].key);
  co_return fail(Code::kInvalidArgument,
                 "row \"" + base::printable(parts.hash_key) + "\" : \"" +
                     base::printable(parts.sort_key) + "\" is too large: its write request has " +
                     std::to_string(size) + " bytes, more than cluster " + table.cluster().name() +
                     " takes ([replication] max_allowed_write_size, 1 MiB by default)");
}

}  // namespace

Task<> write_rows(Table& table, int32_t partition_index, std::vector<RawRow> rows,
                  size_t max_request_bytes, Deadline deadline) {
  std::vector<Group> groups;
  for (std::span<const RawRow> rest(rows); !rest.empty();)
    groups.push_back(take_group(rest, max_request_bytes));
  Flight flight;
  auto* channel = table.router().primary_channel(partition_index);
  if (!channel) flight.first_failed = 0;
  std::string body;
  for (size_t place = 0; channel && place < groups.size(); ++place) {
    auto [code, hash] = encode(groups[place], body);
    ++flight.under_way;
    channel->start({.code = code,
                    .gpid = table.router().gpid(partition_index),
                    .partition_hash = hash,
                    .body = body,
                    .deadline = deadline},
                   [&flight, place](Result<net::IncomingReply> reply) {
                     flight.land(place, std::move(reply));
                   });
  }
  while (flight.under_way > 0) co_await flight.landed.wait();  // no result
  if (flight.error) co_return fail(std::move(*flight.error));
  // From the first that failed everything again, in order: a later row of the same key stays later.
  for (size_t place = flight.first_failed; place < groups.size(); ++place)
    CO_TRY(co_await write_again(table, partition_index, groups[place], deadline));
  co_return Result<void>();
}

}  // namespace pegmove::client
