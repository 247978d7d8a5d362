// The resources of this machine that a split may use.
#pragma once

#include <string>
#include "apps/verb.h"

#include "base/result.h"
#include "splitter/split.h"

namespace pegmove::apps {

struct MachineArguments {
  int workers = 0;  // 0: one per core
  std::string memory = "256MiB", disk = "8GiB";
  std::string work_folder;  // "": a folder of the user's own in the system's temporary folder
};
void add_machine_options(Verb& verb, MachineArguments& arguments);
// Errors: kInvalidArgument, naming the option.
Result<splitter::SplitLimits> split_limits(const MachineArguments& arguments);

}  // namespace pegmove::apps
