// Which partition of a table holds a key.
#pragma once

#include <cstdint>
#include <string_view>

namespace pegmove::record {

// The CRC-64 by which Pegasus places keys: reflected, polynomial 0x9A6C9329AC4BC9B5, initial value
// and final xor all ones (the parameters of CRC-64/NVME). The empty input gives 0.
// Pegasus: crc64_calc in src/utils/crc.cpp.
uint64_t crc64(std::string_view bytes);

// The hash of a key: that of its hash key, or of its sort key when the hash key is empty.
// Pegasus: pegasus_key_hash in src/base/pegasus_key_schema.h.
uint64_t key_hash(std::string_view hash_key, std::string_view sort_key);

// The partition of a table of `partition_count` partitions that holds keys of this hash: the
// unsigned remainder, within [0, partition_count).
// `partition_count` must be positive (base::check()): check a count that comes from outside first.
int32_t partition_index(uint64_t hash, int32_t partition_count);

}  // namespace pegmove::record
