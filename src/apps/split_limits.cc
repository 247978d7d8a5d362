#include "apps/split_limits.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "apps/command.h"
#include "base/local_file.h"
#include "base/units.h"

namespace pegmove::apps {
namespace {

// In the system's temporary folder another user could have created this folder first.
Result<std::string> own_folder(const std::string& above) {
  const auto folder = fmt::format("{}/pegmove-{}", above, geteuid());
  struct stat found{};
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    const auto error = base::system_error("making", folder, errno);
    return fail(error.code(), error.message() + "; name another folder with --work-dir or TMPDIR");
  }
  if (lstat(folder.c_str(), &found) != 0)
    return fail(base::system_error("looking at", folder, errno));
  if (!S_ISDIR(found.st_mode) || found.st_uid != geteuid() || (found.st_mode & 077) != 0)
    return fail(Code::kInvalidArgument, folder +
                                            " is not a folder that only you can use; remove it, or "
                                            "give another folder with --work-dir");

  return folder;
}

Result<std::string> work_folder_of(const std::string& given) {
  if (given.empty()) return TRY(own_folder(temporary_folder())) + "/split";
  std::error_code error;
  if (!std::filesystem::is_directory(given, error))
    return fail(Code::kInvalidArgument,
                fmt::format("--work-dir {} is not a folder on this machine", given));
  return TRY(base::absolute_path(given)) + "/pegmove-split";
}

}  // namespace

void add_machine_options(Verb& verb, MachineArguments& arguments) {
  constexpr const char* kMachine = "Limits on this machine";
  verb.add_option("--workers", arguments.workers, "units at the same time; default: one per core")
      ->in_range(1, 256)
      ->group(kMachine);
  verb.add_option("--memory", arguments.memory, "memory for buffers; default: 256MiB")
      ->group(kMachine);
  verb.add_option("--disk", arguments.disk,
                  "space for temporary files in --work-dir; default: 8GiB")
      ->group(kMachine);
  verb.add_option(
          "--work-dir", arguments.work_folder,
          "folder for temporary files; default: one of your own in the system's temporary folder")
      ->group(kMachine);
}

Result<splitter::SplitLimits> split_limits(const MachineArguments& arguments) {
  return splitter::SplitLimits{
      .units_at_once = arguments.workers > 0
                           ? arguments.workers
                           : std::max(1, int(std::thread::hardware_concurrency())),
      .memory_bytes = int64_t(TRY(in_context(base::parse_size(arguments.memory), "--memory"))),
      .disk_bytes = int64_t(TRY(in_context(base::parse_size(arguments.disk), "--disk"))),
      .work_folder = TRY(work_folder_of(arguments.work_folder))};
}

}  // namespace pegmove::apps
