#include "server/meta/store/meta_log.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "wire/crc32c.h"

namespace pegmove::server::meta {
namespace {

constexpr std::string_view kFormat = "pegmove meta store ";
constexpr std::string_view kVersion = "1\n";
constexpr size_t kHeadBytes = kFormat.size() + kVersion.size() + 12;
constexpr std::string_view kMark = "\xFFrecord\xFF";
constexpr size_t kFrameBytes = kMark.size() + 8;
constexpr uint32_t kRemoved = 0xFFFFFFFF;
constexpr size_t kSnapshotRecordBytes =
    1 << 20;  // records of a new file have at most this, or one value

std::unexpected<Error> damaged(size_t at, const std::string& what) {
  return fail(Code::kCorrupt, fmt::format("damaged at byte {}: {}", at, what));
}

std::string encode_head(uint64_t size) {
  std::string head(kFormat);
  head += kVersion;
  base::append_big_endian(head, size);
  base::append_big_endian(head, wire::crc32c(head));
  return head;
}

// The file's size when it was renamed into place.
Result<uint64_t> read_head(std::string_view bytes) {
  if (!bytes.starts_with(kFormat)) return damaged(0, "it is not a file of a meta server");
  if (!bytes.substr(kFormat.size()).starts_with(kVersion))
    return fail(Code::kUnsupported, "it was written by a later version of pegmove: use that one");
  const auto size_at = kFormat.size() + kVersion.size();
  if (bytes.size() < kHeadBytes || base::load_big_endian<uint32_t>(&bytes[size_at + 8]) !=
                                       wire::crc32c(bytes.substr(0, size_at + 8)))
    return damaged(0, "the checksum of its head is wrong");
  const auto size = base::load_big_endian<uint64_t>(&bytes[size_at]);
  if (size > bytes.size())
    return damaged(bytes.size(), fmt::format("it ends here and should have {} bytes", size));
  return size;
}

// The changes of the record that begins there; nothing when it is incomplete.
std::optional<std::string_view> record_at(std::string_view bytes, size_t at) {
  const auto rest = bytes.substr(at);
  if (rest.size() < kFrameBytes || !rest.starts_with(kMark)) return std::nullopt;
  const auto size = base::load_big_endian<uint32_t>(&rest[kMark.size() + 4]);
  if (size > kMostRecordBytes || size > rest.size() - kFrameBytes) return std::nullopt;
  const auto checked = rest.substr(kMark.size() + 4, 4 + size);
  if (base::load_big_endian<uint32_t>(&rest[kMark.size()]) != wire::crc32c(checked))
    return std::nullopt;
  return checked.substr(4);
}

bool has_record_behind(std::string_view bytes, size_t at) {
  while ((at = bytes.find(kMark, at + 1)) != std::string_view::npos)
    if (record_at(bytes, at)) return true;
  return false;
}

// A string preceded by its size; nothing when it is incomplete.
std::optional<std::string_view> take_text(std::string_view& from, uint32_t size) {
  if (size > from.size()) return std::nullopt;
  const auto text = from.substr(0, size);
  from.remove_prefix(size);
  return text;
}

std::optional<uint32_t> take_size(std::string_view& from) {
  const auto bytes = take_text(from, 4);
  if (!bytes) return std::nullopt;
  return base::load_big_endian<uint32_t>(bytes->data());
}

// Nothing when they are not as encode_changes() makes them.
std::optional<MetaBatch> decode_changes(std::string_view changes) {
  MetaBatch batch;
  while (!changes.empty()) {
    const auto path = take_text(changes, take_size(changes).value_or(kRemoved));
    const auto size = take_size(changes);
    if (!path || !size) return std::nullopt;
    if (*size == kRemoved) {
      batch.remove(std::string(*path));
    } else if (const auto value = take_text(changes, *size)) {
      batch.put(std::string(*path), std::string(*value));
    } else {
      return std::nullopt;
    }
  }
  return batch;
}

void append_change(std::string& to, std::string_view path, const std::string* value) {
  base::append_big_endian(to, uint32_t(path.size()));
  to += path;
  base::append_big_endian(to, value ? uint32_t(value->size()) : kRemoved);
  if (value) to += *value;
}

}  // namespace

std::string encode_changes(const MetaBatch& batch) {
  std::string changes;
  for (const auto& [path, value] : batch.changes())
    append_change(changes, path, value ? &*value : nullptr);
  return changes;
}

std::string frame_record(std::string_view changes) {
  std::string checked;
  checked.reserve(4 + changes.size());
  base::append_big_endian(checked, uint32_t(changes.size()));
  checked += changes;
  std::string record(kMark);
  base::append_big_endian(record, wire::crc32c(checked));
  return record += checked;
}

std::string encode_log(const MetaValues& values) {
  std::string records, changes;
  for (const auto& [path, value] : values) {
    if (!changes.empty() && changes.size() + path.size() + value.size() > kSnapshotRecordBytes) {
      records += frame_record(changes);
      changes.clear();
    }
    append_change(changes, path, &value);
  }
  if (!changes.empty()) records += frame_record(changes);
  return encode_head(kHeadBytes + records.size()) + records;
}

Result<MetaValues> decode_log(std::string_view bytes) {
  const auto named_size = TRY(read_head(bytes));
  MetaValues values;
  for (size_t at = kHeadBytes; at < bytes.size();) {
    const auto changes = record_at(bytes, at);
    if (!changes && (at < named_size || has_record_behind(bytes, at)))
      return damaged(at, "the record there is incomplete");
    if (!changes) break;
    const auto batch = decode_changes(*changes);
    if (!batch) return damaged(at, "the changes of the record there cannot be read");
    batch->apply_to(values);
    at += kFrameBytes + changes->size();
  }
  return values;
}

}  // namespace pegmove::server::meta
