#include "client/duplicate_write.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "client/row_groups.h"
#include "data_types.h"
#include "record/hash.h"
#include "record/key.h"
#include "wire/duplicate_messages.h"
#include "wire/thrift_codec.h"

namespace pegmove::client {
namespace {

using wire::DuplicatePutsWriter;
using wire::StorageStatus;

constexpr size_t kMostRows = 1000;
constexpr size_t kMostBytes = 512 << 10;

RowGroup take_group(std::span<const RawRow>& rest) {
  size_t count = 0, bytes = 0;
  for (; count < rest.size() && count < kMostRows; ++count) {
    bytes += DuplicatePutsWriter::most_entry_bytes(rest[count].key, rest[count].value);
    if (count > 0 && bytes > kMostBytes) break;
  }
  auto group = rest.first(count);
  rest = rest.subspan(count);
  return group;
}

WriteForm::Encoded encode(RowGroup group, const DuplicateWrite& how, std::string& body) {
  body.clear();
  DuplicatePutsWriter writer(body, {how.timestamp_us, how.cluster_id, how.verify_timetag},
                             uint32_t(group.size()));
  for (const auto& row : group) writer.add({row.key, row.value, row.expire_ts});
  writer.finish();
  // The hash of the last entry, as Pegasus's own sender does.
  return {wire::RpcCode::kDuplicate, record::raw_key_hash(*record::split_key(group.back().key))};
}

Result<void> check_written(Table& table, const DuplicateWrite& how,
                           const net::IncomingReply& reply) {
  auto response = TRY(wire::decode_body<wire::duplicate_response>(reply.body.view));
  if (response.error == 0) return {};
  std::string what =
      fmt::format("write through DUPLICATE as cluster id {} to table '{}' on cluster {}",
                  how.cluster_id, table.name(), table.cluster().name());
  const auto& hint = response.error_hint;
  if (!hint.empty()) what += ": " + base::printable(hint, 256);
  if (hint == "request cluster id is unconfigured")
    what += " (the [duplication-group] of that cluster's servers must give this id to another one)";
  return fail(wire::to_error(StorageStatus(response.error), what));
}

}  // namespace

Task<> duplicate_rows(Table& table, int32_t partition_index, std::vector<RawRow> rows,
                      DuplicateWrite how, Deadline deadline) {
  std::vector<RowGroup> groups;
  for (std::span<const RawRow> rest(rows); !rest.empty();) groups.push_back(take_group(rest));
  WriteForm form{
      .encode = [&how](RowGroup group, std::string& body) { return encode(group, how, body); },
      .check = [&](const net::IncomingReply& reply) { return check_written(table, how, reply); }};
  co_return co_await write_groups(table, partition_index, std::move(groups), std::move(form),
                                  deadline);
}

}  // namespace pegmove::client
