#include "server/replica/duplication/checkpoint_sums.h"

#include "base/local_file.h"
#include "blockstore/digest.h"

namespace pegmove::server::replica {

Task<std::string> md5_of_file(async::Pool& pool, std::string path,
                              std::function<bool()> is_stopped) {
  constexpr size_t kBlockBytes = 1 << 20;
  const auto file = CO_TRY(co_await pool.run([&] { return base::LocalFile::open(path); }));
  blockstore::Digest digest;
  for (int64_t offset = 0; !is_stopped();) {
    const auto size = CO_TRY(co_await pool.run([&]() -> Result<size_t> {
      const auto bytes = TRY(file.read(offset, kBlockBytes));
      digest.feed(bytes);
      return bytes.size();
    }));
    if (size == 0) co_return digest.finish_hex();
    offset += int64_t(size);
  }
  co_return fail(Code::kInterrupted, "computing the MD5 sum of " + path + " was stopped");
}

}  // namespace pegmove::server::replica
