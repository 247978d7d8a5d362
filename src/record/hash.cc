#include "record/hash.h"

#include "base/check.h"
#include "base/crc.h"

namespace pegmove::record {
namespace {

constexpr auto kTables = base::make_crc_tables<uint64_t>(0x9A6C9329AC4BC9B5);

}  // namespace

uint64_t crc64(std::string_view bytes) { return base::crc(kTables, bytes); }

uint64_t key_hash(std::string_view hash_key, std::string_view sort_key) {
  return crc64(hash_key.empty() ? sort_key : hash_key);
}

int32_t partition_index(uint64_t hash, int32_t partition_count) {
  base::check(partition_count > 0, "a table has partitions");
  return static_cast<int32_t>(hash % static_cast<uint64_t>(partition_count));
}

}  // namespace pegmove::record
