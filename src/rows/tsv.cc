#include "rows/tsv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "base/units.h"
#include "record/expiry.h"

namespace pegmove::rows {
namespace {

constexpr std::string_view kColumnNames[] = {"hash_key", "sort_key", "value", "expire_ts"};
constexpr size_t kLeastColumns = 3;

void append_hex(uint8_t byte, std::string& out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

// The length of the UTF-8 sequence of several bytes that begins at `at`, 0 if there is none.
size_t utf8_sequence(std::string_view bytes, size_t at) {
  uint8_t first = uint8_t(bytes[at]);
  if (first < 0xc0) return 0;
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  std::string_view sequence = bytes.substr(at, length);
  return sequence.size() == length && base::is_utf8(sequence) ? length : 0;
}

void append_column(std::string_view bytes, std::string& out) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    uint8_t byte = uint8_t(bytes[i]);
    if (byte >= 0x80) {
      size_t length = utf8_sequence(bytes, i);
      if (length == 0) {
        append_hex(byte, out);
      } else {
        out.append(bytes, i, length);
        i += length - 1;
      }
      continue;
    }
    switch (byte) {
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\\': out += "\\\\"; break;
      default:
        if (byte < 0x20) {
          append_hex(byte, out);
        } else {
          out += char(byte);
        }
    }
  }
}

std::vector<std::string_view> split_columns(std::string_view line) {
  std::vector<std::string_view> columns;
  for (;;) {
    size_t tab = line.find('\t');
    columns.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return columns;
    line.remove_prefix(tab + 1);
  }
}

// Appends the bytes of the escape at the beginning of `text`; returns its length.
Result<size_t> unescape_one(std::string_view text, std::string& out) {
  switch (text.size() < 2 ? '\0' : text[1]) {
    case 't': out += '\t'; return 2;
    case 'n': out += '\n'; return 2;
    case 'r': out += '\r'; return 2;
    case '\\': out += '\\'; return 2;
    case 'x':
      if (auto byte = base::from_hex(text.substr(2, 2)); byte && byte->size() == 1) {
        out += *byte;
        return 4;
      }
      return fail(Code::kInvalidArgument, "\\x must be followed by two hexadecimal digits");
    default:
      return fail(Code::kInvalidArgument,
                  fmt::format("unknown escape \"{}\"; write a backslash as \\\\ (the escapes are "
                              "\\t \\n \\r \\\\ \\xHH)",
                              base::printable(text.substr(0, 2))));
  }
}

Result<std::string> unescape(std::string_view column) {
  std::string bytes;
  bytes.reserve(column.size());
  while (!column.empty()) {
    size_t plain = std::min(column.find('\\'), column.size());
    bytes.append(column, 0, plain);
    column.remove_prefix(plain);
    if (!column.empty()) column.remove_prefix(TRY(unescape_one(column, bytes)));
  }
  return bytes;
}

std::string column_count_message(size_t count) {
  if (count > std::size(kColumnNames)) {
    return std::to_string(count) +
           " columns; expire_ts is the last one allowed (write a TAB in a value as \\t)";
  }
  return fmt::format(
      "column {} is missing: {} {}, expected hash_key, sort_key, value and optional expire_ts, "
      "separated by TAB",
      kColumnNames[count], count, count == 1 ? "column" : "columns");
}

Result<uint32_t> parse_expire_ts(std::string_view column) {
  if (column.empty()) return 0;
  constexpr auto kMost = std::numeric_limits<int64_t>::max();
  return record::expire_ts_from_unix(TRY(base::parse_integer(column, 0, kMost)));
}

}  // namespace

void append_tsv(const Row& row, std::string& out) {
  // A key that begins like a byte order mark would lose it in the first line of a file.
  auto hash_key = row.hash_key;
  if (hash_key.starts_with(base::kByteOrderMark)) {
    for (const char byte : base::kByteOrderMark) append_hex(uint8_t(byte), out);
    hash_key.remove_prefix(base::kByteOrderMark.size());
  }
  append_column(hash_key, out);
  out += '\t';
  append_column(row.sort_key, out);
  out += '\t';
  append_column(row.value, out);
  if (row.expire_ts != 0) {
    char digits[std::numeric_limits<int64_t>::digits10 + 2];
    auto end =
        std::to_chars(digits, std::end(digits), record::unix_from_expire_ts(row.expire_ts)).ptr;
    out += '\t';
    out.append(digits, end);
  }
  out += '\n';
}

Result<OwnedRow> parse_tsv(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  auto columns = split_columns(line);
  if (columns.size() < kLeastColumns || columns.size() > std::size(kColumnNames))
    return fail(Code::kInvalidArgument, column_count_message(columns.size()));
  OwnedRow row;
  std::string* fields[kLeastColumns] = {&row.hash_key, &row.sort_key, &row.value};
  for (size_t i = 0; i < kLeastColumns; ++i) {
    auto bytes = unescape(columns[i]);
    if (!bytes) {
      return fail(Code::kInvalidArgument,
                  fmt::format("column {}: {}", kColumnNames[i], bytes.error().message()));
    }
    *fields[i] = *std::move(bytes);
  }
  if (columns.size() > kLeastColumns)
    row.expire_ts = TRY(in_context(parse_expire_ts(columns[kLeastColumns]), "column expire_ts"));
  return row;
}

}  // namespace pegmove::rows
