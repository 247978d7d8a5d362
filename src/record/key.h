// Raw keys: how Pegasus stores a hash key and a sort key as one key of RocksDB.
//
//   raw key = length of the hash key (2 bytes, big endian) | hash key | sort key
//
// Both parts may be empty. RocksDB orders raw keys as plain bytes: shorter hash keys come first,
// hash keys of one length in byte order, the sort keys of one hash key in byte order.
// Pegasus: src/base/pegasus_key_schema.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::record {

// Bytes in front of the hash key.
inline constexpr size_t kHashKeyLengthSize = 2;
// The longest hash key, in bytes. The length 0xFFFF is invalid. A sort key has no such limit.
inline constexpr size_t kMaxHashKeySize = 65534;

// The two parts of a raw key, as views of it.
struct KeyParts {
  std::string_view hash_key;
  std::string_view sort_key;

  bool operator==(const KeyParts&) const = default;
};

// Whether Pegasus accepts this hash key. Errors: kInvalidArgument when it is longer than
// kMaxHashKeySize, naming its start and size.
Result<void> check_hash_key(std::string_view hash_key);

// The raw key. The hash key must have passed check_hash_key (base::check()).
std::string encode_key(std::string_view hash_key, std::string_view sort_key);

// Appends the raw key to `out`; otherwise as encode_key(). The parts may not be views of `out`.
void append_key(std::string& out, std::string_view hash_key, std::string_view sort_key);

// The parts of a raw key, as views of `raw`. Nothing when `raw` is not a raw key: shorter than two
// bytes, a hash key that runs past the end, or the length 0xFFFF. Real databases contain one such
// key, the empty one that empty writes leave: readers skip it.
std::optional<KeyParts> split_key(std::string_view raw);

// The smallest string above every string that begins with `raw_prefix`: trailing 0xFF bytes are
// removed, and the last remaining byte is incremented. Empty when there is none (nothing but 0xFF,
// or an empty prefix): no upper bound. Pegasus: pegasus_generate_next_blob in
// src/base/pegasus_key_schema.h.
std::string next_after_prefix(std::string_view raw_prefix);

// The smallest raw key above every raw key of this hash key: where a scan of it ends, exclusive.
// Never empty. The hash key must have passed check_hash_key (base::check()).
std::string next_hash_key(std::string_view hash_key);

// The hash that places the key (record/hash.h).
uint64_t raw_key_hash(const KeyParts& key);

}  // namespace pegmove::record
