// Programs that a benchmark runs, and the system's counts of their usage.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace pegmove::bench {

struct Usage {
  double cpu_seconds = 0;      // user and system
  int64_t peak_bytes = 0;      // resident; of a process that has ended: as last seen, to 10 ms
  int64_t resident_bytes = 0;  // now; 0 of a process that has ended
};

struct Finished {
  std::string output;  // stdout
  double wall_seconds = 0;
  Usage usage;
};

// Runs a program to its end. Errors: kInternal when its exit code is not 0.
Result<Finished> run_process(std::vector<std::string> words);

// Of a running process. Errors: kNotFound.
Result<Usage> usage_of(pid_t pid);

}  // namespace pegmove::bench
