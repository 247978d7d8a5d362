#include "journal/location.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace pegmove::journal {
namespace {

namespace fs = std::filesystem;

// Only the owner may read the folders: the journal contains names of clusters and tables.
constexpr mode_t kFolderMode = 0700;

Result<void> make_folders(const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_directory(folder, ignored)) return {};
  if (folder.has_parent_path() && folder != folder.parent_path())
    TRY(make_folders(folder.parent_path()));
  if (mkdir(folder.c_str(), kFolderMode) == 0) return sync_folder(folder.parent_path());
  const int error = errno;  // another process may have been faster
  if (error == EEXIST && fs::is_directory(folder, ignored)) return {};
  return fail(Code::kIo, "creating the folder " + folder.string() + " for the journal: " +
                             std::strerror(error) + "; give another place with --state");
}

}  // namespace

Result<std::string> default_state_path(const Environment& environment) {
  const auto absolute = [&](const char* name) -> std::string {
    const char* value = environment(name);
    return value != nullptr && value[0] == '/' ? value : "";
  };
  if (auto state = absolute("XDG_STATE_HOME"); !state.empty())
    return fs::path(state) / "pegmove" / "journal.db";
  if (auto home = absolute("HOME"); !home.empty())
    return fs::path(home) / ".local" / "state" / "pegmove" / "journal.db";
  return fail(Code::kInvalidArgument,
              "no place for the journal: neither XDG_STATE_HOME nor HOME is an absolute folder; "
              "give a file with --state");
}

Result<std::string> prepare_place(const std::string& path) {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  if (path.empty() || path.contains('\0') || path.ends_with('/') || is_folder)
    return fail(Code::kInvalidArgument,
                "journal '" + path + "': this is a folder; give a file with --state");
  const fs::path absolute = fs::absolute(path, error).lexically_normal();
  if (error) return fail(Code::kIo, "journal " + path + ": " + error.message());
  TRY(make_folders(absolute.parent_path()));
  const fs::path real = fs::weakly_canonical(absolute, error);
  if (error) return fail(Code::kIo, "journal " + path + ": " + error.message());
  return real.string();
}

Result<void> sync_folder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool done = fd >= 0 && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  // EINVAL: the file system has nothing to wait for.
  if (!done && error != EINVAL)
    return fail(Code::kIo, "writing the folder " + folder + ": " + std::strerror(error));
  return {};
}

}  // namespace pegmove::journal
