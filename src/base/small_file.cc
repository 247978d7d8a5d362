#include "base/small_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/atomic_file.h"
#include "base/descriptor.h"

namespace pegmove::base {
namespace {

constexpr size_t kPieceBytes = 65536;

Error too_large(const std::string& path, size_t most_bytes) {
  return {Code::kCorrupt, fmt::format("{} has more than {} bytes: too many", path, most_bytes)};
}

Result<std::string> read_whole(const LocalFile& file, size_t most_bytes) {
  auto text = TRY(file.read(0, most_bytes + 1));
  if (text.size() > most_bytes) return fail(too_large(file.path(), most_bytes));
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

Result<std::string> read_input(const std::string& path, size_t most_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.is_open()) return fail(system_error("opening", path, errno));
  std::string text;
  std::array<char, kPieceBytes> piece;
  for (;;) {
    const auto got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("reading", path, errno));
    if (got == 0) return text;
    text.append(piece.data(), size_t(got));
    if (text.size() > most_bytes) return fail(too_large(path, most_bytes));
  }
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  auto file = TRY(AtomicFile::create(path));
  TRY(file.append(text));
  return file.commit();
}

}  // namespace pegmove::base
