// This program with its shared libraries, for machines that have neither.
#pragma once

#include <string>

#include "base/result.h"

namespace pegmove::spark {

inline constexpr const char* kBundledProgram = "pegmove";
inline constexpr const char* kBundledLibraries = "lib";
inline constexpr const char* kBundledLoader = "lib/ld.so";

// Puts into the folder, which is made: the program that runs now, the libraries that are loaded in
// it, and the loader. On another Linux of the same processor family the folder is enough:
//   FOLDER/lib/ld.so --library-path FOLDER/lib FOLDER/pegmove ...
// Errors: kIo, naming the file; kUnsupported: the program was linked without a loader.
Result<void> write_bundle(const std::string& folder);

}  // namespace pegmove::spark
