#include "shipping/entries.h"

#include "data_types.h"
#include "record/hash.h"
#include "record/key.h"
#include "wire/row_messages.h"
#include "wire/thrift_codec.h"

namespace pegmove::shipping {
namespace {

using wire::RpcCode;

std::optional<uint64_t> raw_hash(std::string_view raw_key) {
  const auto parts = record::split_key(raw_key);
  if (!parts) return std::nullopt;
  return record::raw_key_hash(*parts);
}

}  // namespace

std::optional<uint64_t> key_hash_of(RpcCode code, std::string_view body) {
  switch (code) {
    case RpcCode::kPut: {
      const auto put = wire::decode_put(body);
      return put ? raw_hash(put->key) : std::nullopt;
    }
    case RpcCode::kMultiPut: {
      const auto put = wire::decode_multi_put(body);
      if (!put) return std::nullopt;
      return record::key_hash(put->hash_key, {});
    }
    case RpcCode::kRemove: {
      const auto key = wire::decode_body<wire::blob>(body);
      return key ? raw_hash(key->data) : std::nullopt;
    }
    case RpcCode::kMultiRemove: {
      const auto request = wire::decode_body<wire::multi_remove_request>(body);
      if (!request) return std::nullopt;
      return record::key_hash(request->hash_key.data, {});
    }
    default: return std::nullopt;
  }
}

std::map<int32_t, std::vector<ShippedEntry>> by_target(std::span<const ShippedEntry> entries,
                                                       int32_t partition_count) {
  std::map<int32_t, std::vector<ShippedEntry>> groups;
  for (const auto& entry : entries)
    groups[record::partition_index(entry.hash, partition_count)].push_back(entry);
  return groups;
}

size_t entries_that_fit(std::span<const ShippedEntry> entries, size_t most_bytes) {
  size_t count = 0, bytes = wire::DuplicateWriter::kBodyOverhead;
  for (; count < entries.size(); ++count) {
    bytes += wire::DuplicateWriter::entry_bytes(entries[count].view);
    if (count > 0 && bytes > most_bytes) break;
  }
  return count;
}

size_t duplicate_body_bytes(std::span<const ShippedEntry> entries) {
  size_t bytes = wire::DuplicateWriter::kBodyOverhead;
  for (const auto& entry : entries) bytes += wire::DuplicateWriter::entry_bytes(entry.view);
  return bytes;
}

std::string duplicate_body(std::span<const ShippedEntry> entries,
                           const std::optional<wire::DuplicateSource>& source) {
  std::string body;
  body.reserve(duplicate_body_bytes(entries));
  wire::DuplicateWriter writer(body, uint32_t(entries.size()));
  for (const auto& entry : entries) writer.add(entry.view);
  writer.finish(source);
  return body;
}

}  // namespace pegmove::shipping
