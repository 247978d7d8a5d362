#include "store/received_positions.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>

#include "store/decimal_numbers.h"

namespace pegmove::store {
namespace {

constexpr std::string_view kReceivedPrefix = "pegmove_received/";

std::string received_key(const SourcePartition& source) {
  return fmt::format("{}{}/{}/{}", kReceivedPrefix, source.cluster_id, source.app_id,
                     source.partition_index);
}

// With the decree here.
std::optional<std::pair<Received, int64_t>> decode_received(std::string_view key,
                                                            std::string_view value) {
  const auto source =
      numbers_in<3>(key.substr(kReceivedPrefix.size()), '/', {kMost32, kMost32, kMost32});
  const auto position = numbers_in<5>(value, ' ', {kMost64, kMost64, kMost32, kMost64, kMost64});
  if (!source || !position) return std::nullopt;
  const Received received{.source = {.cluster_id = int32_t((*source)[0]),
                                     .app_id = int32_t((*source)[1]),
                                     .partition_index = int32_t((*source)[2])},
                          .position = {.log_id = (*position)[0],
                                       .decree = (*position)[1],
                                       .write_index = int32_t((*position)[2]),
                                       .timestamp_us = (*position)[3]}};
  return std::pair(received, (*position)[4]);
}

}  // namespace

rocksdb::Status ReceivedPositions::open(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& meta) {
  meta_ = &meta;
  const std::unique_ptr<rocksdb::Iterator> keys(db.NewIterator(rocksdb::ReadOptions(), &meta));
  const rocksdb::Slice prefix(kReceivedPrefix.data(), kReceivedPrefix.size());
  for (keys->Seek(prefix); keys->Valid() && keys->key().starts_with(prefix); keys->Next())
    if (const auto received =
            decode_received(keys->key().ToStringView(), keys->value().ToStringView()))
      wrote(received->first, received->second);
  return keys->status();
}

std::optional<ReceivedPosition> ReceivedPositions::find(const SourcePartition& source) const {
  const auto found = known_.find(source);
  return found == known_.end() ? std::nullopt : std::optional(found->second.position);
}

const SourcePartition* ReceivedPositions::replaced_by(const SourcePartition& source) const {
  if (known_.size() < kMostSources || known_.contains(source)) return nullptr;
  return &by_use_.begin()->second;
}

rocksdb::Status ReceivedPositions::add(rocksdb::WriteBatch& batch, const Received& received,
                                       int64_t decree) const {
  if (const auto* replaced = replaced_by(received.source))
    if (auto status = batch.Delete(meta_, received_key(*replaced)); !status.ok()) return status;
  const auto& position = received.position;
  return batch.Put(meta_, received_key(received.source),
                   fmt::format("{} {} {} {} {}", position.log_id, position.decree,
                               position.write_index, position.timestamp_us, decree));
}

void ReceivedPositions::wrote(const Received& received, int64_t decree) {
  if (const auto* replaced = replaced_by(received.source)) {
    known_.erase(*replaced);
    by_use_.erase(by_use_.begin());
  }
  auto& known = known_[received.source];
  by_use_.erase({known.used, received.source});
  known = {.position = received.position, .used = decree};
  by_use_.emplace(decree, received.source);
}

}  // namespace pegmove::store
