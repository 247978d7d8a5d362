// Thrift's binary protocol by hand, with views instead of copies: for frame headers and the
// messages of the hot path (row_messages.h). Everything else goes through thrift_codec.h.
//
// A reader remembers its first error and returns zeroes and empty views from then on, so that a
// decoder reads on without checks and calls ok() once at the end; loops must check ok() too.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace pegmove::wire {

class BinaryReader {
 public:
  enum Type : int8_t {
    kStop = 0,
    kBool = 2,
    kByte = 3,
    kDouble = 4,
    kI16 = 6,
    kI32 = 8,
    kI64 = 10,
    kString = 11,
    kStruct = 12,
    kMap = 13,
    kSet = 14,
    kList = 15
  };
  struct Field {
    int8_t type;
    int16_t id;
  };

  explicit BinaryReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return error_.empty(); }
  std::string_view error() const { return error_; }
  std::string_view rest() const { return rest_; }
  void fail(std::string_view why) {
    if (error_.empty()) error_ = why;
    rest_ = {};
  }

  int8_t i8() { return integer<int8_t>(); }
  int16_t i16() { return integer<int16_t>(); }
  int32_t i32() { return integer<int32_t>(); }
  int64_t i64() { return integer<int64_t>(); }
  std::string_view raw(size_t size) {
    if (size > rest_.size()) {
      fail("value runs past the end");
      return {};
    }
    auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  // A length and that many bytes: strings and blobs alike.
  std::string_view bytes() { return raw(uint32_t(i32())); }
  // After an error this is a stop, so that loops over fields end.
  Field field() {
    Field field{i8(), 0};
    if (field.type != kStop) field.id = i16();
    return ok() ? field : Field{kStop, 0};
  }
  // The element count of a list whose elements take at least `least_element_size` bytes each.
  uint32_t list(size_t least_element_size) {
    i8();
    auto count = uint32_t(i32());
    if (uint64_t(count) * least_element_size > rest_.size()) {
      fail("list larger than its frame");
      return 0;
    }
    return count;
  }
  void skip(int8_t type) { skip(type, 0); }

 private:
  template <typename Int>
  Int integer() {
    auto taken = raw(sizeof(Int));
    return taken.empty() ? Int{0} : base::load_big_endian<Int>(taken.data());
  }
  void skip(int8_t type, int depth);

  std::string_view rest_;
  std::string_view error_;
};

// Writers append to `out`; each adds a whole field.
inline void append_field_begin(std::string& out, int8_t type, int16_t id) {
  char bytes[1 + sizeof id];
  bytes[0] = char(type);
  base::store_big_endian(bytes + 1, id);
  out.append(bytes, sizeof bytes);
}
// A field's header and a number in one step: rows are many small steps.
template <typename Int>
void append_number_field(std::string& out, int8_t type, int16_t id, Int value) {
  char bytes[1 + sizeof id + sizeof value];
  bytes[0] = char(type);
  base::store_big_endian(bytes + 1, id);
  base::store_big_endian(bytes + 1 + sizeof id, value);
  out.append(bytes, sizeof bytes);
}
inline void append_i32_field(std::string& out, int16_t id, int32_t value) {
  append_number_field(out, BinaryReader::kI32, id, value);
}
inline void append_i64_field(std::string& out, int16_t id, int64_t value) {
  append_number_field(out, BinaryReader::kI64, id, value);
}
inline void append_bool_field(std::string& out, int16_t id, bool value) {
  append_number_field(out, BinaryReader::kBool, id, int8_t(value));
}
inline void append_string_field(std::string& out, int16_t id, std::string_view value) {
  append_number_field(out, BinaryReader::kString, id, uint32_t(value.size()));
  out += value;
}
// A blob's field carries the type byte of a struct (dsn_types.h).
inline void append_blob_field(std::string& out, int16_t id, std::string_view value) {
  append_number_field(out, BinaryReader::kStruct, id, uint32_t(value.size()));
  out += value;
}

}  // namespace pegmove::wire
