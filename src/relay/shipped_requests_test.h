// DUPLICATE requests as a source makes them, for tests of this folder.
#pragma once

#include <string>
#include <vector>

#include "data_types.h"
#include "record/hash.h"
#include "record/key.h"
#include "relay/shipped_request.h"
#include "wire/thrift_codec.h"

namespace pegmove::relay {

struct Write {
  wire::RpcCode code;
  std::string body;
  int64_t timestamp_us = 1;
};

inline Write put(const std::string& hash_key, const std::string& value, int64_t timestamp_us = 1) {
  wire::update_request request;
  request.key.data = record::encode_key(hash_key, "s");
  request.value.data = value;
  return {wire::RpcCode::kPut, wire::encode_body(request, 1), timestamp_us};
}

inline Write multi_put(const std::string& hash_key,
                       const std::vector<std::pair<std::string, std::string>>& rows,
                       int64_t timestamp_us = 1) {
  wire::multi_put_request request;
  request.hash_key.data = hash_key;
  request.expire_ts_seconds = 77;
  for (const auto& [sort_key, value] : rows) {
    auto& row = request.kvs.emplace_back();
    row.key.data = sort_key;
    row.value.data = value;
  }
  return {wire::RpcCode::kMultiPut, wire::encode_body(request), timestamp_us};
}

inline Write multi_remove(const std::string& hash_key, const std::vector<std::string>& sort_keys,
                          int64_t timestamp_us = 1) {
  wire::multi_remove_request request;
  request.hash_key.data = hash_key;
  for (const auto& sort_key : sort_keys) request.sort_keys.emplace_back().data = sort_key;
  return {wire::RpcCode::kMultiRemove, wire::encode_body(request), timestamp_us};
}

inline Write remove(const std::string& hash_key, int64_t timestamp_us = 1) {
  return {wire::RpcCode::kRemove, wire::encode_body(wire::blob{record::encode_key(hash_key, "s")}),
          timestamp_us};
}

// As real sources send it: without verify_timetag and positions.
inline std::string shipped(const std::vector<Write>& writes) {
  std::string body;
  wire::DuplicateWriter writer(body, uint32_t(writes.size()));
  for (const auto& write : writes)
    writer.add({.timestamp_us = write.timestamp_us,
                .task_code = wire::rpc_name(write.code),
                .raw_message = write.body,
                .cluster_id = 3});
  writer.finish(std::nullopt);
  return body;
}

inline std::unique_ptr<ShippedRequest> request_of(const std::vector<Write>& writes) {
  return *ShippedRequest::parse(shipped(writes), WriteMethod::kDuplicate);
}

// A hash key of the given partition, of a table with `count` of them; others by `number`.
inline std::string key_in(int32_t partition, int32_t count, int number = 0) {
  for (int i = 0;; ++i) {
    auto key = "h" + std::to_string(i);
    if (record::partition_index(record::key_hash(key, ""), count) == partition && number-- == 0)
      return key;
  }
}

// "put h1=v", "remove h1": what an entry does.
inline std::string text_of(const shipping::ShippedEntry& entry) {
  switch (wire::rpc_code_from_name(entry.view.task_code)) {
    case wire::RpcCode::kPut: {
      const auto put = *wire::decode_put(entry.view.raw_message);
      return "put " + std::string(record::split_key(put.key)->hash_key) + "=" +
             std::string(put.value);
    }
    case wire::RpcCode::kMultiPut: {
      const auto put = *wire::decode_multi_put(entry.view.raw_message);
      auto text = "multi_put " + std::string(put.hash_key);
      for (const auto& row : put.rows)
        text += " " + std::string(row.key) + "=" + std::string(row.value);
      return text;
    }
    case wire::RpcCode::kRemove: {
      const auto key = wire::decode_body<wire::blob>(entry.view.raw_message)->data;
      return "remove " + std::string(record::split_key(key)->hash_key);
    }
    default: return std::string(entry.view.task_code);
  }
}

inline std::vector<std::string> texts_of(std::span<const shipping::ShippedEntry> entries) {
  std::vector<std::string> texts;
  for (const auto& entry : entries) texts.push_back(text_of(entry));
  return texts;
}

}  // namespace pegmove::relay
