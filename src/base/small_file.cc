#include "base/small_file.h"

#include <fmt/format.h>

#include "base/atomic_file.h"

namespace pegmove::base {

Result<std::optional<std::string>> read_file(const std::string& path, size_t most_bytes) {
  const auto file = LocalFile::open(path);
  if (!file && file.error().code() == Code::kNotFound) return std::nullopt;
  if (!file) return fail(file.error());
  auto text = TRY(file->read(0, most_bytes + 1));
  if (text.size() > most_bytes)
    return fail(Code::kCorrupt,
                fmt::format("{} has more than {} bytes: too many", path, most_bytes));
  return text;
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  auto file = TRY(AtomicFile::create(path));
  TRY(file.append(text));
  return file.commit();
}

}  // namespace pegmove::base
