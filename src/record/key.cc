#include "record/key.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"
#include "record/hash.h"

namespace pegmove::record {

Result<void> check_hash_key(std::string_view hash_key) {
  if (hash_key.size() <= kMaxHashKeySize) return {};
  return fail(
      Code::kInvalidArgument,
      fmt::format("the hash key \"{}\" has {} bytes and Pegasus takes at most {}: shorten it "
                  "or leave the row out",
                  base::printable(hash_key, 32), hash_key.size(), kMaxHashKeySize));
}

std::string encode_key(std::string_view hash_key, std::string_view sort_key) {
  std::string raw;
  raw.reserve(kHashKeyLengthSize + hash_key.size() + sort_key.size());
  append_key(raw, hash_key, sort_key);
  return raw;
}

void append_key(std::string& out, std::string_view hash_key, std::string_view sort_key) {
  base::check(hash_key.size() <= kMaxHashKeySize, "a hash key was checked before it is encoded");
  base::append_big_endian(out, static_cast<uint16_t>(hash_key.size()));
  out.append(hash_key);
  out.append(sort_key);
}

std::optional<KeyParts> split_key(std::string_view raw) {
  if (raw.size() < kHashKeyLengthSize) return std::nullopt;
  const size_t hash_key_size = base::load_big_endian<uint16_t>(raw.data());
  raw.remove_prefix(kHashKeyLengthSize);
  if (hash_key_size > kMaxHashKeySize || hash_key_size > raw.size()) return std::nullopt;
  return KeyParts{.hash_key = raw.substr(0, hash_key_size), .sort_key = raw.substr(hash_key_size)};
}

std::string next_after_prefix(std::string_view raw_prefix) {
  const size_t last = raw_prefix.find_last_not_of('\xFF');
  if (last == std::string_view::npos) return {};
  std::string next(raw_prefix.substr(0, last + 1));
  next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
  return next;
}

std::string next_hash_key(std::string_view hash_key) {
  return next_after_prefix(encode_key(hash_key, {}));
}

uint64_t raw_key_hash(const KeyParts& key) { return key_hash(key.hash_key, key.sort_key); }

}  // namespace pegmove::record
