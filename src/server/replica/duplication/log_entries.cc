#include "server/replica/duplication/log_entries.h"

#include <fmt/format.h>

#include <optional>

#include "data_types.h"
#include "record/hash.h"
#include "record/key.h"
#include "wire/row_messages.h"
#include "wire/rpc_code.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {
namespace {

using store::LoggedCode;
using wire::RpcCode;

RpcCode rpc_code_of(LoggedCode code) {
  switch (code) {
    case LoggedCode::kPut: return RpcCode::kPut;
    case LoggedCode::kMultiPut: return RpcCode::kMultiPut;
    case LoggedCode::kRemove: return RpcCode::kRemove;
    case LoggedCode::kMultiRemove: return RpcCode::kMultiRemove;
  }
  return RpcCode::kUnknown;
}

std::optional<uint64_t> raw_hash(std::string_view raw_key) {
  const auto parts = record::split_key(raw_key);
  if (!parts) return std::nullopt;
  return record::raw_key_hash(*parts);
}

std::optional<uint64_t> hash_of(const store::LoggedWrite& write) {
  switch (write.code) {
    case LoggedCode::kPut: {
      const auto put = wire::decode_put(write.body);
      return put ? raw_hash(put->key) : std::nullopt;
    }
    case LoggedCode::kMultiPut: {
      const auto put = wire::decode_multi_put(write.body);
      if (!put) return std::nullopt;
      return record::key_hash(put->hash_key, {});
    }
    case LoggedCode::kRemove: {
      const auto key = wire::decode_body<wire::blob>(write.body);
      return key ? raw_hash(key->data) : std::nullopt;
    }
    case LoggedCode::kMultiRemove: {
      const auto request = wire::decode_body<wire::multi_remove_request>(write.body);
      if (!request) return std::nullopt;
      return record::key_hash(request->hash_key.data, {});
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<LogEntry>> entries_of(const store::LogPiece& piece, uint8_t cluster_id) {
  std::vector<LogEntry> entries;
  for (const auto& mutation : piece.mutations) {
    wire::DuplicatePosition position{.decree = mutation.decree};
    for (const auto& write : mutation.writes) {
      const auto hash = hash_of(write);
      if (!hash)
        return fail(Code::kCorrupt,
                    fmt::format("decree {} of the duplication log has a request that is not valid",
                                mutation.decree));
      entries.push_back({.view = {.timestamp_us = mutation.timestamp_us,
                                  .task_code = wire::rpc_name(rpc_code_of(write.code)),
                                  .raw_message = write.body,
                                  .cluster_id = int8_t(cluster_id),
                                  .position = position},
                         .hash = *hash});
      ++position.write_index;
    }
  }
  return entries;
}

std::map<int32_t, std::vector<LogEntry>> by_target(std::span<const LogEntry> entries,
                                                   int32_t partition_count) {
  std::map<int32_t, std::vector<LogEntry>> groups;
  for (const auto& entry : entries)
    groups[record::partition_index(entry.hash, partition_count)].push_back(entry);
  return groups;
}

size_t entries_that_fit(std::span<const LogEntry> entries, size_t most_bytes) {
  size_t count = 0, bytes = wire::DuplicateWriter::kBodyOverhead;
  for (; count < entries.size(); ++count) {
    bytes += wire::DuplicateWriter::entry_bytes(entries[count].view);
    if (count > 0 && bytes > most_bytes) break;
  }
  return count;
}

size_t duplicate_body_bytes(std::span<const LogEntry> entries) {
  size_t bytes = wire::DuplicateWriter::kBodyOverhead;
  for (const auto& entry : entries) bytes += wire::DuplicateWriter::entry_bytes(entry.view);
  return bytes;
}

std::string duplicate_body(std::span<const LogEntry> entries, const wire::DuplicateSource& source) {
  std::string body;
  body.reserve(duplicate_body_bytes(entries));
  wire::DuplicateWriter writer(body, uint32_t(entries.size()));
  for (const auto& entry : entries) writer.add(entry.view);
  writer.finish(source);
  return body;
}

}  // namespace pegmove::server::replica
