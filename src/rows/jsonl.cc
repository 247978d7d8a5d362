#include "rows/jsonl.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "record/expiry.h"

namespace pegmove::rows {
namespace {

// Writing.

// The character after the backslash for a byte: 0 = written unchanged, 'u' = \u00XX.
constexpr std::array<char, 256> make_escapes() {
  std::array<char, 256> escapes{};
  for (size_t byte = 0; byte < 0x20; ++byte) escapes[byte] = 'u';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  return escapes;
}
constexpr auto kEscapes = make_escapes();

void append_escaped(std::string_view utf8, std::string& out) {
  size_t done = 0;
  for (size_t i = 0; i < utf8.size(); ++i) {
    uint8_t byte = uint8_t(utf8[i]);
    char escape = kEscapes[byte];
    if (escape == 0) [[likely]]
      continue;
    out.append(utf8, done, i - done);
    out += '\\';
    out += escape;
    if (escape == 'u') {
      out += "00";
      out += char('0' + (byte >> 4));
      out += "0123456789abcdef"[byte & 15];
    }
    done = i + 1;
  }
  out.append(utf8, done);
}

// Most fields are ASCII, and this loop has no branch per byte.
bool is_ascii(std::string_view bytes) {
  uint8_t all = 0;
  for (char byte : bytes) all |= uint8_t(byte);
  return all < 0x80;
}

void append_field(std::string_view name, std::string_view bytes, std::string& out) {
  out += '"';
  out += name;
  if (is_ascii(bytes) || base::is_utf8(bytes)) {
    out += "\":\"";
    append_escaped(bytes, out);
  } else {
    out += "_b64\":\"";
    out += base::to_base64(bytes);
  }
  out += '"';
}

// Reading.

std::string in_quotes(std::string_view text) { return '"' + base::printable(text) + '"'; }

enum FieldIndex { kHashKey, kSortKey, kValue, kByteFields };
constexpr std::array<std::string_view, kByteFields> kByteFieldNames = {"hash_key", "sort_key",
                                                                       "value"};

// Takes the events of the parser. Every handler returns false, with `error` set, to stop it.
class RowReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit RowReader(std::string_view line) : line_(line) {}

  // The result of the events. Call once, after the parser has ended.
  Result<OwnedRow> take() && {
    if (error_) return fail(*std::move(error_));
    for (int field = 0; field < kByteFields; ++field) {
      if (seen_[field]) continue;
      std::string name(kByteFieldNames[field]);
      return fail(Code::kInvalidArgument,
                  fmt::format("field \"{0}\" (or \"{0}_b64\") is missing", name));
    }
    return OwnedRow{std::move(bytes_[kHashKey]), std::move(bytes_[kSortKey]),
                    std::move(bytes_[kValue]), expire_ts_};
  }

  bool key(string_t& name) override {
    name_ = std::move(name);
    if (name_ == "expire_ts") {
      field_ = std::nullopt;
      return std::exchange(expire_ts_seen_, true) ? reject("field \"expire_ts\" is given twice")
                                                  : true;
    }
    std::string_view plain = name_;
    is_base64_ = plain.ends_with("_b64");
    if (is_base64_) plain.remove_suffix(4);
    auto found = std::ranges::find(kByteFieldNames, plain);
    if (found == kByteFieldNames.end()) {
      return reject(
          fmt::format("unknown field {}; the fields are hash_key, sort_key, value (each also with "
                      "_b64) and expire_ts",
                      in_quotes(name_)));
    }
    field_ = FieldIndex(found - kByteFieldNames.begin());
    if (!seen_[*field_]) return seen_[*field_] = true;
    if (was_base64_[*field_] == is_base64_)
      return reject(fmt::format("field {} is given twice", in_quotes(name_)));
    std::string name_text(plain);
    return reject(fmt::format("both \"{0}\" and \"{0}_b64\" are given", name_text));
  }

  bool string(string_t& text) override {
    if (!inside_) return reject_value("a string");
    if (!field_) return reject_value("a string");
    was_base64_[*field_] = is_base64_;
    if (!is_base64_) {
      bytes_[*field_] = std::move(text);
      return true;
    }
    auto bytes = base::from_base64(text);
    if (!bytes)
      return reject(fmt::format("field {}: {}", in_quotes(name_), bytes.error().message()));
    bytes_[*field_] = *std::move(bytes);
    return true;
  }

  bool number_integer(number_integer_t number) override {
    if (!inside_ || field_) return reject_value("a number");
    auto expire_ts = record::expire_ts_from_unix(number);
    if (!expire_ts) return reject("expire_ts: " + expire_ts.error().message());
    expire_ts_ = *expire_ts;
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (std::in_range<int64_t>(number)) return number_integer(int64_t(number));
    return reject_big_number(std::to_string(number));
  }
  bool number_float(number_float_t, const string_t& text) override {
    bool is_whole = text.find_first_of(".eE") == std::string::npos;
    return is_whole ? reject_big_number(text)
                    : reject_value("a number with a fraction or exponent");
  }

  bool null() override { return reject_value("null"); }
  bool boolean(bool) override { return reject_value("a boolean"); }
  bool binary(binary_t&) override { return reject_value("binary data"); }
  bool start_array(size_t) override { return reject_value("an array"); }
  bool end_array() override { return true; }
  bool start_object(size_t) override {
    if (inside_) return reject_value("an object");
    return inside_ = true;
  }
  bool end_object() override { return true; }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    if (!base::is_utf8(line_)) {
      return reject("the line is not UTF-8; put such bytes into a _b64 field, as base64");
    }
    return reject("not a JSON object: bad JSON at byte " + std::to_string(position));
  }

 private:
  bool reject(std::string message) {
    error_.emplace(Code::kInvalidArgument, std::move(message));
    return false;
  }
  bool reject_value(std::string_view found) {
    if (!inside_) return reject("not a JSON object but " + std::string(found));
    std::string_view wanted = field_ ? "a string" : "an integer (Unix seconds)";
    return reject(fmt::format("field {} must be {} but is {}", in_quotes(name_), wanted, found));
  }
  bool reject_big_number(const std::string& text) {
    if (!inside_ || field_) return reject_value("a number");
    return reject(fmt::format("expire_ts {} is out of range", base::printable(text)));
  }

  std::string_view line_;
  std::optional<Error> error_;
  bool inside_ = false;              // the object has begun
  std::string name_;                 // the field whose value comes next
  std::optional<FieldIndex> field_;  // which one that is; none = expire_ts
  bool is_base64_ = false;
  std::array<bool, kByteFields> seen_{};
  std::array<bool, kByteFields> was_base64_{};
  std::array<std::string, kByteFields> bytes_;
  bool expire_ts_seen_ = false;
  uint32_t expire_ts_ = 0;
};

}  // namespace

void append_jsonl(const Row& row, std::string& out) {
  out += '{';
  append_field("hash_key", row.hash_key, out);
  out += ',';
  append_field("sort_key", row.sort_key, out);
  out += ',';
  append_field("value", row.value, out);
  if (row.expire_ts != 0) {
    char digits[std::numeric_limits<int64_t>::digits10 + 2];
    auto end =
        std::to_chars(digits, std::end(digits), record::unix_from_expire_ts(row.expire_ts)).ptr;
    out += ",\"expire_ts\":";
    out.append(digits, end);
  }
  out += "}\n";
}

Result<OwnedRow> parse_jsonl(std::string_view line) {
  RowReader reader(line);
  nlohmann::json::sax_parse(line.begin(), line.end(), &reader);
  return std::move(reader).take();
}

}  // namespace pegmove::rows
