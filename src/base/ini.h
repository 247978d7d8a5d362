// INI text: of pegmove's and of servers' configurations, and of files with keys.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::base {

using IniSection = std::map<std::string, std::string>;
using IniSections = std::map<std::string, IniSection>;

struct IniRules {
  bool comments_behind_values = false;  // " #" and " ;" end a value
  bool skips_unknown_lines = false;     // lines of no form of an INI; else they are errors
};

// Lines may be indented; those that begin with # or ; are comments. What stands above the first
// section is in section "". Of a name that stands twice the last one counts.
// Errors: kInvalidArgument, naming the line by its number and never its text.
Result<IniSections> parse_ini(std::string_view text, IniRules rules);

}  // namespace pegmove::base
