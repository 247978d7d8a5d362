// Bundles this program with its shared libraries, for machines that have neither.
#pragma once

#include <string>

#include "base/result.h"

namespace pegmove::spark {

inline constexpr const char* kBundledProgram = "pegmove";
inline constexpr const char* kBundledLibraries = "lib";
inline constexpr const char* kBundledLoader = "lib/ld.so";

// Creates the folder with this program, its loaded libraries, and the loader. It runs on any Linux
// machine of the same processor family:
//   FOLDER/lib/ld.so --library-path FOLDER/lib FOLDER/pegmove ...
// Errors: kIo, naming the file; kUnsupported: the program was linked without a loader.
Result<void> write_bundle(const std::string& folder);

}  // namespace pegmove::spark
