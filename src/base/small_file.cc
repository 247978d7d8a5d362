#include "base/small_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/local_file.h"

namespace pegmove::base {
namespace {

std::string temporary_path(const std::string& path) { return path + ".tmp"; }

}  // namespace

Result<void> ensure_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0755) == 0) {
    const auto whole = std::filesystem::absolute(folder).lexically_normal();
    return sync_folder(whole.parent_path().string());
  }
  if (errno != EEXIST) return fail(system_error("making the folder", folder, errno));
  return {};
}

Result<std::optional<std::string>> read_file(const std::string& path, size_t most_bytes) {
  const auto file = LocalFile::open(path);
  if (!file && file.error().code() == Code::kNotFound) return std::nullopt;
  if (!file) return fail(file.error());
  auto text = TRY(file->read(0, most_bytes + 1));
  if (text.size() > most_bytes)
    return fail(Code::kCorrupt,
                path + " has more than " + std::to_string(most_bytes) + " bytes: too many");
  return text;
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  auto file = TRY(LocalFile::create(temporary_path(path)));
  TRY(file.append(text));
  TRY(file.sync());
  return rename_file(file.path(), path);
}

Result<void> remove_leftover(const std::string& path) {
  const std::string temporary = temporary_path(path);
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT)
    return fail(system_error("removing", temporary, errno));
  return {};
}

}  // namespace pegmove::base
