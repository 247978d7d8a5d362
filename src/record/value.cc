#include "record/value.h"

#include "base/bytes.h"
#include "base/check.h"

namespace pegmove::record {
namespace {

constexpr size_t kExpireSize = sizeof(uint32_t);
constexpr size_t kTimetagSize = sizeof(uint64_t);
constexpr char kVersion2Mark = '\x82';

}  // namespace

std::optional<DecodedValue> decode_value(int data_version, std::string_view stored) {
  if (data_version < 0 || data_version > 2) return std::nullopt;
  const size_t mark_size = data_version == 2 ? 1 : 0;
  const size_t size = mark_size + kExpireSize + (data_version == 0 ? 0 : kTimetagSize);
  if (stored.size() < size) return std::nullopt;
  if (data_version == 2 && stored[0] != kVersion2Mark) return std::nullopt;

  const char* expire_at = stored.data() + mark_size;
  ValueHeader header{.expire_ts = base::load_big_endian<uint32_t>(expire_at), .size = size};
  if (data_version > 0) header.timetag = base::load_big_endian<uint64_t>(expire_at + kExpireSize);
  return DecodedValue{.header = header, .user_data = stored.substr(size)};
}

void append_value_header(std::string& out, int data_version, uint32_t expire_ts, uint64_t timetag) {
  base::check(data_version >= 0 && data_version <= kMaxServedDataVersion,
              "data versions 0 and 1 are written");
  base::append_big_endian(out, expire_ts);
  if (data_version == 1) base::append_big_endian(out, timetag);
}

}  // namespace pegmove::record
