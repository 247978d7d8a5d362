#include "testing/log_records.h"

#include <cstdint>
#include <string_view>

#include "testing/test_folder.h"

namespace pegmove::testing {
namespace {

constexpr size_t kBlockBytes = 32 << 10;
constexpr size_t kHeaderBytes = 7;  // checksum (4), length (2, little endian), type (1)
enum Type : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

}  // namespace

std::vector<std::string> log_records(const std::string& path) {
  const std::string file = read_file(path);
  std::vector<std::string> records;
  std::string record;
  for (size_t at = 0; at + kHeaderBytes <= file.size();) {
    const size_t left_in_block = kBlockBytes - at % kBlockBytes;
    if (left_in_block < kHeaderBytes) {  // padding
      at += left_in_block;
      continue;
    }
    const auto byte = [&](size_t offset) { return uint8_t(file[at + offset]); };
    const size_t length = size_t(byte(4) | byte(5) << 8);
    const uint8_t type = byte(6);
    if (type < kFull || type > kLast || at + kHeaderBytes + length > file.size()) break;
    if (type == kFull || type == kFirst) record.clear();
    record += std::string_view(file).substr(at + kHeaderBytes, length);
    if (type == kFull || type == kLast) records.push_back(record);
    at += kHeaderBytes + length;
  }
  return records;
}

}  // namespace pegmove::testing
