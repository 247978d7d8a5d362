// The filters of scanning commands: -h -x (hash key), -s -y (sort key), -v -z (value).
#pragma once

#include <ostream>
#include <string_view>

#include "rows/row_filter.h"
#include "shell/options.h"

namespace pegmove::shell {

using rows::Match;
using rows::RowFilters;

// What the patterns are, as typed: copy_data and count_data read escapes in them once more.
enum class Patterns { kPlain, kEscaped };

// Errors: kInvalidArgument, "invalid sort_key_filter_type param" and the like, and bad escapes.
Result<RowFilters> parse_filters(const Options& options, Patterns patterns);

// "NAME_filter_type: TYPE" and, if there is a filter, "NAME_filter_pattern: "..."" in lines that
// begin with `before` and have `between` in the place of ": ".
void print_filter(std::ostream& to, std::string_view name, const rows::RowFilter& filter,
                  std::string_view before = "", std::string_view between = ": ");

}  // namespace pegmove::shell
