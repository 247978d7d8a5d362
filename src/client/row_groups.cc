#include "client/row_groups.h"

#include <algorithm>

#include "base/bytes.h"
#include "record/key.h"

namespace pegmove::client {
namespace {

using wire::ErrorCode;

// Requests under way; lives until each is answered.
struct Flight {
  const WriteForm& form;
  size_t under_way = 0;
  size_t first_failed = SIZE_MAX;  // by place among the groups
  std::optional<Error> error{};
  async::Event landed{};

  void land(size_t place, Result<net::IncomingReply> reply) {
    --under_way;
    if (!reply || reply->error != ErrorCode::kOk) {
      first_failed = std::min(first_failed, place);
    } else if (auto written = form.check(*reply); !written && !error) {
      error = std::move(written).error();
    }
    if (under_way == 0) landed.notify();
  }
};

Task<> write_again(Table& table, int32_t partition_index, RowGroup group, const WriteForm& form,
                   Deadline deadline) {
  std::string body;
  auto [code, hash] = form.encode(group, body);
  auto size = body.size();
  auto reply =
      co_await table.router().call({partition_index, hash}, code, std::move(body), deadline);
  if (reply) co_return form.check(*reply);
  co_return fail(explain_size(table, group[0], size, std::move(reply).error()));
}

}  // namespace

Error explain_size(Table& table, const RawRow& row, size_t request_bytes, Error error) {
  if (error.wire_code() != int(ErrorCode::kInvalidData)) return error;
  auto parts = *record::split_key(row.key);
  return Error(Code::kInvalidArgument,
               "row \"" + base::printable(parts.hash_key) + "\" : \"" +
                   base::printable(parts.sort_key) + "\" is too large: its write request has " +
                   std::to_string(request_bytes) + " bytes, more than cluster " +
                   table.cluster().name() +
                   " takes ([replication] max_allowed_write_size, 1 MiB by default)");
}

Task<> write_groups(Table& table, int32_t partition_index, std::vector<RowGroup> groups,
                    WriteForm form, Deadline deadline) {
  Flight flight{.form = form};
  auto* channel = table.router().primary_channel(partition_index);
  if (!channel) flight.first_failed = 0;
  std::string body;
  for (size_t place = 0; channel && place < groups.size(); ++place) {
    auto [code, hash] = form.encode(groups[place], body);
    ++flight.under_way;
    channel->start({.code = code,
                    .gpid = table.router().gpid(partition_index),
                    .partition_hash = hash,
                    .body = body,
                    .deadline = table.router().attempt_deadline(deadline)},
                   [&flight, place](Result<net::IncomingReply> reply) {
                     flight.land(place, std::move(reply));
                   });
  }
  while (flight.under_way > 0) co_await flight.landed.wait();  // no result
  if (flight.error) co_return fail(std::move(*flight.error));
  // From the first that failed everything again, in order: a later row of the same key stays later.
  for (size_t place = flight.first_failed; place < groups.size(); ++place)
    CO_TRY(co_await write_again(table, partition_index, groups[place], form, deadline));
  co_return Result<void>();
}

}  // namespace pegmove::client
