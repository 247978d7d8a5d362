// The commands of the shell: what they are called, how they are used, and who carries them out.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "shell/options.h"

namespace pegmove::shell {

class Session;

enum class Outcome {
  kDone,
  kFailed,      // said on Session::err()
  kWrongUsage,  // likewise; the usage is printed behind it
};

// What must be there before a command can begin.
enum class Needs { kNothing, kCluster, kTable };

struct Command {
  std::string_view name;
  std::string_view usage;  // of the options and arguments, as Pegasus's shell words it
  Needs needs;
  Outcome (*run)(Session& session, Words words);
};

// All commands, in the order in which help lists them.
std::span<const Command> all_commands();
// nullptr when there is none of this name. Names are case-sensitive.
const Command* find_command(std::string_view name);

// A tab, the name, and the usage in lines of some 70 columns, as Pegasus's shell shows it.
std::string usage_text(const Command& command);
// "Usage:" and the usages of all commands.
std::string help_text();

}  // namespace pegmove::shell
