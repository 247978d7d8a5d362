// Checksums of files, computed piece by piece: MD5, which Pegasus's backups use, and SHA-256.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace pegmove::blockstore {

// For one caller at a time. Running out of memory throws.
class Digest {
 public:
  enum class Kind { kMd5, kSha256 };
  explicit Digest(Kind kind = Kind::kMd5);
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  void feed(std::string_view bytes);
  // The raw checksum of all bytes that were fed; nothing may be fed after it.
  std::string finish();
  std::string finish_hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

std::string md5_of(std::string_view bytes);                             // raw, 16 bytes
std::string md5_hex(std::string_view bytes);                            // 32 digits
std::string sha256_hex(std::string_view bytes);                         // 64 digits
std::string hmac_sha256(std::string_view key, std::string_view bytes);  // raw, 32 bytes

bool is_md5_hex(std::string_view text);

}  // namespace pegmove::blockstore
