// In which order a program asks the disk for things: its calls of fsync() and rename(), recorded.
#pragma once

#include <string>
#include <vector>

namespace pegmove::testing {

// Those since the last call: "sync N bytes" of a file of that size, "sync the folder", "rename to
// NAME". Whoever links it has these functions replaced. Safe from any thread.
std::vector<std::string> take_disk_steps();

}  // namespace pegmove::testing
