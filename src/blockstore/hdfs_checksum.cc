#include "blockstore/hdfs_checksum.h"

#include <algorithm>
#include <bit>

#include "base/bytes.h"
#include "blockstore/digest.h"
#include "wire/crc32c.h"

namespace pegmove::blockstore {
std::optional<HdfsChecksum> HdfsChecksum::parse(std::string_view algorithm,
                                                std::string_view bytes_hex) {
  if (!algorithm.starts_with("MD5-of-") || !algorithm.contains("MD5-of-")) return std::nullopt;
  auto bytes = base::from_hex(bytes_hex.substr(0, 56));
  if (!bytes || bytes->size() != 28) return std::nullopt;  // i32, i64, and the MD5
  return HdfsChecksum{.bytes_per_crc = base::load_big_endian<int32_t>(bytes->data()),
                      .is_crc32c = algorithm.ends_with("CRC32C"),
                      .md5 = bytes->substr(12)};
}

void HdfsFileSum::feed(std::string_view bytes) {
  size_ += int64_t(bytes.size());
  if (!begun_.empty()) {
    const auto rest = bytes.substr(0, kBytesPerCrc - begun_.size());
    begun_ += rest;
    bytes.remove_prefix(rest.size());
    if (begun_.size() < kBytesPerCrc) return;
    base::append_big_endian(crcs_, wire::crc32c(begun_));
    begun_.clear();
  }
  for (; bytes.size() >= kBytesPerCrc; bytes.remove_prefix(kBytesPerCrc))
    base::append_big_endian(crcs_, wire::crc32c(bytes.substr(0, kBytesPerCrc)));
  begun_ = bytes;
}

std::string HdfsFileSum::md5(int64_t block_bytes) const {
  std::string crcs = crcs_;
  if (!begun_.empty()) base::append_big_endian(crcs, wire::crc32c(begun_));
  const auto crc_bytes_a_block = size_t(size_t(block_bytes) / kBytesPerCrc * 4);
  std::string blocks;
  for (size_t begin = 0; begin < crcs.size(); begin += crc_bytes_a_block)
    blocks += md5_of(std::string_view(crcs).substr(begin, crc_bytes_a_block));
  // Hadoop computes the sum of its whole buffer: 32 bytes at first, doubled when it is full.
  blocks.resize(std::max<size_t>(32, std::bit_ceil(blocks.size())));
  return md5_of(blocks);
}

}  // namespace pegmove::blockstore
