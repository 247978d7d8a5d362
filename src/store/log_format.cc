#include "store/log_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/crc.h"
#include "store/decimal_numbers.h"

namespace pegmove::store {
namespace {

constexpr auto kCrc32cTables = base::make_crc_tables<uint32_t>(0x82F63B78);
constexpr std::string_view kEntryPrefix = "pegmove_duplication_log/";
constexpr size_t kChecksumSize = 4;
constexpr size_t kEntryHeaderSize = kChecksumSize + 5 * sizeof(int64_t) + sizeof(uint32_t);
constexpr size_t kWriteHeaderSize = sizeof(LoggedCode) + sizeof(uint32_t);

template <typename Int>
void append(std::string& to, Int value) {
  char bytes[sizeof value];
  base::store_little_endian(bytes, value);
  to.append(bytes, sizeof value);
}

// Takes a number from the front, which must be there.
template <typename Int>
Int take(std::string_view& from) {
  const auto value = base::load_little_endian<Int>(from.data());
  from.remove_prefix(sizeof value);
  return value;
}

uint32_t checksum_of(std::string_view bytes) { return base::crc(kCrc32cTables, bytes); }

size_t entry_size(const LoggedMutation& mutation) {
  size_t size = kEntryHeaderSize + mutation.writes.size() * kWriteHeaderSize;
  for (const auto& write : mutation.writes) size += write.body.size();
  return size;
}

bool is_logged_code(uint8_t code) {
  return code >= uint8_t(LoggedCode::kPut) && code <= uint8_t(LoggedCode::kMultiRemove);
}

Result<void> decode_writes(size_t count, std::string_view bytes, std::vector<LoggedWrite>& writes) {
  auto headers = bytes.substr(0, count * kWriteHeaderSize);
  bytes.remove_prefix(headers.size());
  writes.reserve(count);
  while (!headers.empty()) {
    const auto code = take<uint8_t>(headers);
    const auto size = take<uint32_t>(headers);
    if (!is_logged_code(code)) return fail(Code::kCorrupt, fmt::format("it has a code {}", code));
    if (size > bytes.size()) return fail(Code::kCorrupt, "a write runs past its end");
    writes.push_back({LoggedCode(code), bytes.substr(0, size)});
    bytes.remove_prefix(size);
  }
  if (!bytes.empty()) return fail(Code::kCorrupt, "bytes follow its last write");
  return {};
}

}  // namespace

std::string entry_key(int64_t decree) {
  std::string key(kEntryPrefix);
  base::append_big_endian(key, decree);
  return key;
}

std::string entries_end() {
  std::string key(kEntryPrefix);
  ++key.back();
  return key;
}

std::optional<int64_t> decree_of(std::string_view key) {
  if (!key.starts_with(kEntryPrefix) || key.size() != kEntryPrefix.size() + sizeof(int64_t))
    return std::nullopt;
  return base::load_big_endian<int64_t>(key.data() + kEntryPrefix.size());
}

std::string encode_entry(const LoggedMutation& mutation, const LogEnd& end) {
  std::string entry;
  entry.reserve(entry_size(mutation));
  entry.append(kChecksumSize, '\0');
  append(entry, mutation.decree);
  append(entry, end.last);
  append(entry, mutation.timestamp_us);
  append(entry, end.mutations);
  append(entry, end.bytes);
  append(entry, uint32_t(mutation.writes.size()));
  for (const auto& write : mutation.writes) {
    entry += char(write.code);
    append(entry, uint32_t(write.body.size()));
  }
  for (const auto& write : mutation.writes) entry += write.body;
  const auto checked = std::string_view(entry).substr(kChecksumSize);
  base::store_little_endian(entry.data(), checksum_of(checked));
  return entry;
}

Result<LogEntry> decode_entry(int64_t decree, std::string_view value) {
  if (value.size() < kEntryHeaderSize) return fail(Code::kCorrupt, "it is cut off");
  if (take<uint32_t>(value) != checksum_of(value))
    return fail(Code::kCorrupt, "its checksum is wrong");
  LogEntry entry;
  entry.mutation.decree = take<int64_t>(value);
  entry.previous = take<int64_t>(value);
  entry.mutation.timestamp_us = take<int64_t>(value);
  entry.mutations_before = take<int64_t>(value);
  entry.bytes_before = take<int64_t>(value);
  if (entry.mutation.decree != decree)
    return fail(Code::kCorrupt, fmt::format("it is that of decree {}", entry.mutation.decree));
  if (entry.previous < 0 || entry.previous >= decree || entry.mutations_before < 0 ||
      entry.bytes_before < 0)
    return fail(Code::kCorrupt, "its numbers contradict each other");
  const auto count = take<uint32_t>(value);
  if (count == 0 || count > value.size() / kWriteHeaderSize)
    return fail(Code::kCorrupt, fmt::format("it claims {} writes", count));
  TRY(decode_writes(count, value, entry.mutation.writes));
  return entry;
}

LogEnd end_after(const LogEnd& end, const LoggedMutation& mutation) {
  LogEnd after{.covered = std::max(end.covered, mutation.decree),
               .last = mutation.decree,
               .mutations = end.mutations + 1,
               .bytes = end.bytes};
  for (const auto& write : mutation.writes) after.bytes += int64_t(write.body.size());
  return after;
}

std::string encode_start(const LogStart& start) {
  return fmt::format("{} {}", start.begins_after, start.id);
}

std::optional<LogStart> decode_start(std::string_view text) {
  const auto numbers = numbers_in<2>(text, ' ', {kMost64, kMost64});
  if (!numbers) return std::nullopt;
  const auto [begins_after, id] = *numbers;
  return LogStart{.begins_after = begins_after, .id = uint64_t(id)};
}

std::string encode_end(const LogEnd& end) {
  return fmt::format("{} {} {} {}", end.covered, end.last, end.mutations, end.bytes);
}

std::optional<LogEnd> decode_end(std::string_view text) {
  const auto numbers = numbers_in<4>(text, ' ', {kMost64, kMost64, kMost64, kMost64});
  if (!numbers) return std::nullopt;
  const auto [covered, last, mutations, bytes] = *numbers;
  return LogEnd{.covered = covered, .last = last, .mutations = mutations, .bytes = bytes};
}

}  // namespace pegmove::store
