#include "base/small_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/atomic_file.h"

namespace pegmove::base {

namespace {

Result<std::string> read_whole(const LocalFile& file, size_t most_bytes) {
  auto text = TRY(file.read(0, most_bytes + 1));
  if (text.size() > most_bytes)
    return fail(Code::kCorrupt,
                fmt::format("{} has more than {} bytes: too many", file.path(), most_bytes));
  return text;
}

}  // namespace

Result<std::optional<std::string>> read_file(const std::string& path, size_t most_bytes) {
  const auto file = LocalFile::open(path);
  if (!file && file.error().code() == Code::kNotFound) return std::nullopt;
  if (!file) return fail(file.error());
  return TRY(read_whole(*file, most_bytes));
}

Result<std::string> read_secret(const std::string& path, size_t most_bytes) {
  const auto file = TRY(LocalFile::open_given(path));
  if (const auto mode = TRY(file.mode()); (mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(Code::kRefused,
                fmt::format("{} may be written by others than its owner (mode {:o}), so it is not "
                            "trusted; take that away with `chmod go-w {}`",
                            path, mode, path));
  return read_whole(file, most_bytes);
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  auto file = TRY(AtomicFile::create(path));
  TRY(file.append(text));
  return file.commit();
}

}  // namespace pegmove::base
