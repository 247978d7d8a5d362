#include "journal/location.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/local_file.h"

namespace pegmove::journal {
namespace {

namespace fs = std::filesystem;

// Only the owner may read the folders: the journal contains names of clusters and tables.
constexpr mode_t kFolderMode = 0700;

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
                fmt::format("journal '{}': this is a folder; give a file with --state", path));
  const auto given = base::absolute_path(path);
  if (!given) return fail(Code::kIo, fmt::format("journal {}: {}", path, given.error().message()));
  const auto absolute = fs::path(*given).lexically_normal();
  if (const auto made = base::make_folders(absolute.parent_path(), kFolderMode); !made)
    return fail(Code::kIo, fmt::format("journal {}: {}; give another place with --state", path,
                                       made.error().message()));
  const fs::path real = fs::weakly_canonical(absolute, error);
  if (error) return fail(Code::kIo, fmt::format("journal {}: {}", path, error.message()));
  return real.string();
}

}  // namespace pegmove::journal
