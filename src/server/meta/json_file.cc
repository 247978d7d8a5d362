#include "server/meta/json_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace pegmove::server::meta {
namespace {

// "cannot write /x/apps.json: No space left on device", from errno.
std::unexpected<Error> system_failure(std::string_view doing, const std::string& path) {
  const std::string why = std::generic_category().message(errno);
  return fail(Code::kIo, "cannot " + std::string(doing) + " " + path + ": " + why);
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : number_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (is_open()) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }

 private:
  int number_;
};

std::string temporary_path(const std::string& path) { return path + ".tmp"; }

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

Result<void> sync_folder(const std::string& folder) {
  const Descriptor open_folder(folder, O_RDONLY | O_DIRECTORY);
  if (!open_folder.is_open() || ::fsync(open_folder.number()) != 0) {
    return system_failure("sync the folder", folder);
  }
  return {};
}

Result<void> write_synced(const std::string& path, std::string_view text) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  if (!file.is_open()) return system_failure("create", path);
  while (!text.empty()) {
    const ssize_t written = ::write(file.number(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_failure("write", path);
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(file.number()) != 0) return system_failure("sync", path);
  return {};
}

}  // namespace

Result<void> ensure_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0755) == 0) {
    return sync_folder(folder_of(std::filesystem::absolute(folder).lexically_normal().string()));
  }
  if (errno != EEXIST) return system_failure("make the folder", folder);
  return {};
}

Result<std::optional<std::string>> read_file(const std::string& path, size_t most_bytes) {
  const Descriptor file(path, O_RDONLY);
  if (!file.is_open()) {
    if (errno == ENOENT) return std::nullopt;
    return system_failure("open", path);
  }
  std::string text;
  std::string block(64 * 1024, '\0');
  while (true) {
    const ssize_t count = ::read(file.number(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("read", path);
    if (count == 0) return text;
    text.append(block, 0, static_cast<size_t>(count));
    if (text.size() > most_bytes) {
      return fail(Code::kCorrupt,
                  path + " has more than " + std::to_string(most_bytes) + " bytes: too many");
    }
  }
}

Result<void> replace_file(const std::string& path, std::string_view text) {
  const std::string temporary = temporary_path(path);
  TRY(write_synced(temporary, text));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return system_failure("replace", path);
  return sync_folder(folder_of(path));
}

Result<void> remove_leftover(const std::string& path) {
  const std::string temporary = temporary_path(path);
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) {
    return system_failure("remove", temporary);
  }
  return {};
}

}  // namespace pegmove::server::meta
