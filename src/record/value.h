// Stored values: a header with the expiry and the timetag, then the user's data. The data version
// of a database determines which header its values have; all integers are big endian.
//
//   version 0   expire_ts (4 bytes)
//   version 1   expire_ts (4 bytes) | timetag (8 bytes): every database that 2.x created
//   version 2   0x82 | expire_ts (4 bytes) | timetag (8 bytes): known to the offline tools only; no
//               server writes or accepts it
//
// The data version alone selects the header. Version 1 values can also begin with a byte above
// 0x7F (the expiry of a client that sent a negative number), so the first byte does not identify
// the version. Pegasus: src/base/pegasus_value_schema.h, src/base/value_schema_v2.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pegmove::record {

// The newest data version that a server opens, and the newest that append_value_header writes.
inline constexpr int kMaxServedDataVersion = 1;

struct ValueHeader {
  uint32_t expire_ts = 0;  // Pegasus seconds, 0 = no expiry (record/expiry.h)
  uint64_t timetag = 0;    // 0 in version 0, which has none
  size_t size = 0;         // bytes of the header: where the user's data begins
};

struct DecodedValue {
  ValueHeader header;
  std::string_view user_data;  // a view of the stored value
};

// Reads a stored value of a database of this data version. Nothing when the version is not 0, 1 or
// 2, when the value is shorter than the header, or when a version 2 value does not begin with 0x82.
std::optional<DecodedValue> decode_value(int data_version, std::string_view stored);

// Appends the header that goes before the user's data. The timetag is dropped in version 0. The
// version must be 0 or 1 (base::check()): check one that comes from outside first.
void append_value_header(std::string& out, int data_version, uint32_t expire_ts, uint64_t timetag);

// A timetag orders the writes of one key, also across duplicating clusters: the greater one wins.
//
//   unix microseconds (56 bits) | id of the writing cluster (7 bits) | deleted (1 bit)
//
// Bits that do not fit are dropped. Records that INCR, CHECK_AND_SET and CHECK_AND_MUTATE wrote
// have the time 0; no stored record is marked deleted.
// Pegasus: generate_timetag in src/base/pegasus_value_schema.h.
constexpr uint64_t make_timetag(uint64_t timestamp_us, uint8_t cluster_id, bool deleted) {
  return timestamp_us << 8 | (uint64_t{cluster_id} & 0x7F) << 1 | uint64_t{deleted};
}
constexpr uint64_t timetag_timestamp_us(uint64_t timetag) { return timetag >> 8; }
constexpr uint8_t timetag_cluster_id(uint64_t timetag) {
  return static_cast<uint8_t>(timetag >> 1 & 0x7F);
}
constexpr bool timetag_deleted(uint64_t timetag) { return (timetag & 1) != 0; }

}  // namespace pegmove::record
