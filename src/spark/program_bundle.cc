#include "spark/program_bundle.h"

#include <fmt/format.h>
#include <link.h>

#include <cstring>
#include <filesystem>
#include <vector>

namespace pegmove::spark {
namespace {

namespace fs = std::filesystem;

struct Loaded {
  std::string loader;
  std::vector<std::string> libraries;
};

// The program itself has no name, and entries without a file have no slash in it.
int add(dl_phdr_info* object, size_t, void* to) {
  auto& loaded = *static_cast<Loaded*>(to);
  if (std::strchr(object->dlpi_name, '/')) loaded.libraries.emplace_back(object->dlpi_name);
  for (int i = 0; i < object->dlpi_phnum && object->dlpi_name[0] == '\0'; ++i)
    if (object->dlpi_phdr[i].p_type == PT_INTERP)
      loaded.loader =
          reinterpret_cast<const char*>(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
  return 0;
}

Result<void> copy(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error) return fail(Code::kIo, fmt::format("copying {} to {}: {}", from, to, error.message()));
  return {};
}

}  // namespace

Result<void> write_bundle(const std::string& folder) {
  Loaded loaded;
  dl_iterate_phdr(add, &loaded);
  if (loaded.loader.empty())
    return fail(Code::kUnsupported,
                "this program is statically linked; Spark needs a dynamically linked one");
  const auto libraries = folder + "/" + kBundledLibraries + "/";
  std::error_code error;
  fs::create_directories(libraries, error);
  if (error) return fail(Code::kIo, fmt::format("creating {}: {}", libraries, error.message()));
  TRY(copy("/proc/self/exe", folder + "/" + kBundledProgram));
  TRY(copy(loaded.loader, folder + "/" + kBundledLoader));
  for (const auto& library : loaded.libraries)
    TRY(copy(library, libraries + fs::path(library).filename().string()));
  return {};
}

}  // namespace pegmove::spark
