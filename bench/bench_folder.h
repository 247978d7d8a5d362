// Shared by benchmarks that have their own folder.
#pragma once

#include <cstdio>
#include <filesystem>
#include <random>
#include <string>

#include "base/result.h"

namespace pegmove::bench {

// Measures in `setup.folder`, a new one in the system's temporary folder, which is removed
// afterwards. `measure` returns whether all bars are met. Returns the program's exit code.
template <typename Setup>
int measure_in_folder(Setup& setup, Result<bool> (*measure)(const Setup&)) {
  setup.folder = std::filesystem::temp_directory_path() /
                 ("pegmove-bench-" + std::to_string(std::random_device{}()));
  std::filesystem::create_directories(setup.folder);
  const auto good = measure(setup);
  std::filesystem::remove_all(setup.folder);
  if (!good) std::fprintf(stderr, "bench: %s\n", good.error().to_string().c_str());
  return good && *good ? 0 : 1;
}

}  // namespace pegmove::bench
