// HDFS's checksum of a file (GETFILECHECKSUM), computed here: the MD5 over the MD5s of its blocks,
// each over the CRCs of the block's pieces. Hadoop: FileChecksumHelper.java,
// BlockChecksumHelper.java.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::blockstore {

// The name node's checksum of a file.
struct HdfsChecksum {
  int32_t bytes_per_crc = 0;
  bool is_crc32c = true;  // else CRC32
  std::string md5;        // raw, 16 bytes

  // Parses the answer's "algorithm" ("MD5-of-0MD5-of-512CRC32C") and "bytes" (hexadecimal). nullopt
  // for algorithms other than MD5-of-MD5-of-CRC.
  static std::optional<HdfsChecksum> parse(std::string_view algorithm, std::string_view bytes_hex);
};

// Takes the bytes of a file piece by piece; needs 4 bytes of memory for each 512 of the file. HDFS
// uses pieces of 512 bytes and CRC32C unless it is configured otherwise.
class HdfsFileSum {
 public:
  static constexpr size_t kBytesPerCrc = 512;

  void feed(std::string_view bytes);
  int64_t size() const { return size_; }
  // The checksum of all bytes that were fed, in blocks of this size (a multiple of 512).
  std::string md5(int64_t block_bytes) const;

 private:
  std::string crcs_;   // big endian, of the complete pieces
  std::string begun_;  // the incomplete piece
  int64_t size_ = 0;
};

}  // namespace pegmove::blockstore
