#include "store/received_positions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include "base/units.h"

namespace pegmove::store {
namespace {

constexpr std::string_view kReceivedPrefix = "pegmove_received/";

std::string received_key(const SourcePartition& source) {
  return fmt::format("{}{}/{}/{}", kReceivedPrefix, source.cluster_id, source.app_id,
                     source.partition_index);
}

// Three numbers with a separator between them, each at most as large as said.
std::optional<std::array<int64_t, 3>> three_numbers(std::string_view text, char separator,
                                                    const std::array<int64_t, 3>& most) {
  std::array<int64_t, 3> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) {
    const size_t end = i + 1 < numbers.size() ? text.find(separator) : text.size();
    if (end == std::string_view::npos) return std::nullopt;
    const auto number = base::parse_integer(text.substr(0, end), 0, most[i]);
    if (!number) return std::nullopt;
    numbers[i] = *number;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return numbers;
}

constexpr int64_t kMost32 = std::numeric_limits<int32_t>::max();
constexpr int64_t kMost64 = std::numeric_limits<int64_t>::max();

std::optional<Received> decode_received(std::string_view key, std::string_view value) {
  const auto source =
      three_numbers(key.substr(kReceivedPrefix.size()), '/', {kMost32, kMost32, kMost32});
  const auto position = three_numbers(value, ' ', {kMost64, kMost64, kMost32});
  if (!source || !position) return std::nullopt;
  return Received{.source = {.cluster_id = int32_t((*source)[0]),
                             .app_id = int32_t((*source)[1]),
                             .partition_index = int32_t((*source)[2])},
                  .position = {.log_id = (*position)[0],
                               .decree = (*position)[1],
                               .write_index = int32_t((*position)[2])}};
}

}  // namespace

rocksdb::Status ReceivedPositions::open(rocksdb::DB& db, rocksdb::ColumnFamilyHandle& meta) {
  meta_ = &meta;
  const std::unique_ptr<rocksdb::Iterator> keys(db.NewIterator(rocksdb::ReadOptions(), &meta));
  const rocksdb::Slice prefix(kReceivedPrefix.data(), kReceivedPrefix.size());
  for (keys->Seek(prefix); keys->Valid() && keys->key().starts_with(prefix); keys->Next())
    if (const auto received =
            decode_received(keys->key().ToStringView(), keys->value().ToStringView()))
      wrote(*received);
  return keys->status();
}

std::optional<ReceivedPosition> ReceivedPositions::find(const SourcePartition& source) const {
  const auto found = positions_.find(source);
  return found == positions_.end() ? std::nullopt : std::optional(found->second);
}

rocksdb::Status ReceivedPositions::add(rocksdb::WriteBatch& batch, const Received& received) const {
  if (!has_room_for(received.source)) return rocksdb::Status::OK();
  const auto& position = received.position;
  return batch.Put(meta_, received_key(received.source),
                   fmt::format("{} {} {}", position.log_id, position.decree, position.write_index));
}

void ReceivedPositions::wrote(const Received& received) {
  if (has_room_for(received.source)) positions_[received.source] = received.position;
}

}  // namespace pegmove::store
