#include "client/row_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "async/for_each.h"
#include "base/bytes.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::client {
namespace {

using wire::ErrorCode;

// Groups sent again at the same time: each waits by itself for a server that is down or busy.
constexpr size_t kMostAgainAtOnce = 64;

// Requests in progress; must exist until each is answered.
struct Flight {
  const WriteForm& form;
  std::vector<bool> failed;  // by index of the group
  size_t under_way = 0;
  std::optional<Error> error{};
  async::Event landed{};

  void land(size_t place, Result<net::IncomingReply> reply) {
    --under_way;
    if (!reply || reply->error != ErrorCode::kOk) {
      failed[place] = true;
    } else if (auto written = form.check(*reply); !written && !error) {
      error = std::move(written).error();
    }
    if (under_way == 0) landed.notify();
  }
};

// The groups to send again, by index: those that failed, and those after them with a row of the
// same key, written or not, since the later row counts. A wave is sent when the previous one is
// written; no two groups of a wave have a key in common.
std::vector<std::vector<size_t>> waves_again(std::span<const RowGroup> groups,
                                             const std::vector<bool>& failed) {
  std::unordered_map<std::string_view, size_t> last_wave;  // of a key
  std::vector<std::vector<size_t>> waves;
  for (size_t place = 0; place < groups.size(); ++place) {
    bool again = failed[place];
    size_t wave = 0;
    for (const auto& row : groups[place]) {
      auto before = last_wave.find(row.key);
      if (before == last_wave.end()) continue;
      again = true;
      wave = std::max(wave, before->second + 1);
    }
    if (!again) continue;
    waves.resize(std::max(waves.size(), wave + 1));
    waves[wave].push_back(place);
    for (const auto& row : groups[place]) last_wave[row.key] = wave;
  }
  return waves;
}

// Groups are made for a partition count, which is another one when the table has moved to another
// cluster: a group must not be written into a partition that is not its own.
Result<void> check_place(Table& table, int32_t partition_index, uint64_t hash) {
  const auto count = table.router().partition_count();
  if (table.router().moves() == 0 || record::partition_index(hash, count) == partition_index)
    return {};
  return fail(
      Code::kRefused,
      fmt::format("table '{}' has moved to another cluster with {} partitions while rows were "
                  "written; start again",
                  table.name(), count));
}

Task<> write_again(Table& table, int32_t partition_index, RowGroup group, const WriteForm& form,
                   Deadline deadline) {
  std::string body;
  auto [code, hash] = form.encode(group, body);
  auto size = body.size();
  CO_TRY(check_place(table, partition_index, hash));
  auto reply =
      co_await table.router().call({partition_index, hash}, code, std::move(body), deadline);
  if (reply) co_return form.check(*reply);
  co_return fail(explain_size(table, group[0], size, std::move(reply).error()));
}

}  // namespace

Error explain_size(Table& table, const RawRow& row, size_t request_bytes, Error error) {
  if (error.wire_code() != int(ErrorCode::kInvalidData)) return error;
  auto parts = *record::split_key(row.key);
  return Error(
      Code::kInvalidArgument,
      fmt::format("row \"{}\" : \"{}\" is too large: its write request has {} bytes, more than "
                  "cluster {} allows ([replication] max_allowed_write_size, 1 MiB by default)",
                  base::printable(parts.hash_key), base::printable(parts.sort_key), request_bytes,
                  table.cluster().name()));
}

Task<> write_groups(Table& table, int32_t partition_index, std::vector<RowGroup> groups,
                    WriteForm form, Deadline deadline) {
  auto* channel = table.router().primary_channel(partition_index);
  Flight flight{.form = form, .failed = std::vector<bool>(groups.size(), channel == nullptr)};
  std::string body;
  for (size_t place = 0; channel && place < groups.size(); ++place) {
    auto [code, hash] = form.encode(groups[place], body);
    if (!check_place(table, partition_index, hash)) {
      flight.failed[place] = true;  // write_again() says why
      continue;
    }
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
  for (const auto& wave : waves_again(groups, flight.failed))
    CO_TRY(co_await async::for_each(wave.size(), kMostAgainAtOnce, [&](size_t i) {
      return write_again(table, partition_index, groups[wave[i]], form, deadline);
    }));
  co_return Result<void>();
}

}  // namespace pegmove::client
