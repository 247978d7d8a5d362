// INI text: configurations of pegmove and of servers, and files with keys.
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
  bool skips_unknown_lines = false;     // lines that are not valid INI; else they are errors
};

// Lines may be indented; those that begin with # or ; are comments. Names before the first section
// are in section "". Of a repeated name the last value counts. Errors: kInvalidArgument, naming the
// line by its number and never its text.
Result<IniSections> parse_ini(std::string_view text, IniRules rules);

}  // namespace pegmove::base
