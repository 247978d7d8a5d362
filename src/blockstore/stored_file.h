// A file as the metadata of a backup or of a bulk load lists it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pegmove::blockstore {

struct StoredFile {
  std::string name;  // in its folder
  int64_t size = 0;
  std::string md5;  // "": not known
  bool operator==(const StoredFile&) const = default;
};

inline int64_t total_size(const std::vector<StoredFile>& files) {
  int64_t total = 0;
  for (const auto& file : files) total += file.size;
  return total;
}

}  // namespace pegmove::blockstore
