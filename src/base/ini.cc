#include "base/ini.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace pegmove::base {
namespace {

std::string_view without_comment(std::string_view value) {
  for (std::string_view comment : {" ;", " #", "\t;", "\t#"})
    value = value.substr(0, value.find(comment));
  return value;
}

// False: not a valid line of INI text.
bool take_line(std::string_view line, IniRules rules, std::string& section, IniSections& sections) {
  line = trim(line);
  if (line.empty() || line[0] == '#' || line[0] == ';') return true;
  if (line[0] == '[') {
    const auto end = line.find(']');
    if (end == std::string_view::npos) return false;
    section = trim(line.substr(1, end - 1));
    sections[section];
    return true;
  }
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return false;
  auto value = line.substr(equals + 1);
  if (rules.comments_behind_values) value = without_comment(value);
  sections[section][std::string(trim(line.substr(0, equals)))] = trim(value);
  return true;
}

}  // namespace

Result<IniSections> parse_ini(std::string_view text, IniRules rules) {
  text = without_byte_order_mark(text);
  IniSections sections;
  std::string section;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    if (!take_line(text.substr(0, end), rules, section, sections) && !rules.skips_unknown_lines)
      return fail(
          Code::kInvalidArgument,
          fmt::format("line {} is not valid INI: neither [section] nor name = value", number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return sections;
}

}  // namespace pegmove::base
