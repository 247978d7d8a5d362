#include "shell/row_filter.h"

#include <fmt/format.h>

#include "shell/words.h"

namespace pegmove::shell {
namespace {

enum class Exact { kForbidden, kAllowed };

// `type` and `pattern` are the letters of the options.
Result<rows::RowFilter> parse_filter(const Options& options, char type, char pattern,
                                     std::string_view name, Exact exact, Patterns patterns) {
  rows::RowFilter filter;
  if (const auto* typed = options.value(type)) {
    auto match = rows::parse_match(*typed);
    if (!match || (*match == Match::kExact && exact == Exact::kForbidden))
      return fail(Code::kInvalidArgument, fmt::format("invalid {}_filter_type param", name));
    filter.match = *match;
  }
  if (const auto* typed = options.value(pattern)) {
    filter.pattern = patterns == Patterns::kEscaped ? TRY(c_unescape(*typed)) : *typed;
  }
  return filter;
}

}  // namespace

Result<RowFilters> parse_filters(const Options& options, Patterns patterns) {
  RowFilters filters;
  filters.hash_key = TRY(parse_filter(options, 'h', 'x', "hash_key", Exact::kForbidden, patterns));
  filters.sort_key = TRY(parse_filter(options, 's', 'y', "sort_key", Exact::kAllowed, patterns));
  filters.value = TRY(parse_filter(options, 'v', 'z', "value", Exact::kAllowed, patterns));
  return filters;
}

void print_filter(std::ostream& to, std::string_view name, const rows::RowFilter& filter,
                  std::string_view before, std::string_view between) {
  to << before << name << "_filter_type" << between << rows::match_name(filter.match) << "\n";
  if (filter.match != Match::kAll)
    to << before << name << "_filter_pattern" << between << "\"" << c_escape(filter.pattern, false)
       << "\"\n";
}

}  // namespace pegmove::shell
