#include "shell/row_filter.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "shell/words.h"

namespace pegmove::shell {
namespace {

constexpr std::array<std::string_view, 5> kMatchNames = {"no_filter", "anywhere", "prefix",
                                                         "postfix", "exact"};

bool is_same_word(std::string_view typed, std::string_view lower) {
  return std::ranges::equal(typed, lower,
                            [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
}

enum class Exact { kForbidden, kAllowed };

// `type` and `pattern` are the letters of the options.
Result<Filter> parse_filter(const Options& options, char type, char pattern, std::string_view name,
                            Exact exact, Patterns patterns) {
  Filter filter;
  if (const auto* typed = options.value(type)) {
    auto most = kMatchNames.size() - (exact == Exact::kAllowed ? 0 : 1);
    size_t i = 1;
    while (i < most && !is_same_word(*typed, kMatchNames[i])) ++i;
    if (i == most)
      return fail(Code::kInvalidArgument, "invalid " + std::string(name) + "_filter_type param");
    filter.match = Match(i);
  }
  if (const auto* typed = options.value(pattern)) {
    filter.pattern = patterns == Patterns::kEscaped ? TRY(c_unescape(*typed)) : *typed;
  }
  return filter;
}

}  // namespace

bool Filter::accepts(std::string_view bytes) const {
  switch (match) {
    case Match::kAll: return true;
    case Match::kAnywhere: return bytes.contains(pattern);
    case Match::kPrefix: return bytes.starts_with(pattern);
    case Match::kPostfix: return bytes.ends_with(pattern);
    case Match::kExact: return bytes == pattern;
  }
  return false;
}

void RowFilters::apply_to(client::ScanOptions& options) const {
  options.hash_key_filter = int(hash_key.match);
  options.hash_key_pattern = hash_key.pattern;
  // What is equal begins with the pattern.
  auto match = sort_key.match == Match::kExact ? Match::kPrefix : sort_key.match;
  options.sort_key_filter = int(match);
  options.sort_key_pattern = sort_key.pattern;
}

bool RowFilters::accepts_rest(std::string_view sort_key_bytes, std::string_view value_bytes) const {
  if (sort_key.match == Match::kExact && !sort_key.accepts(sort_key_bytes)) return false;
  return value.accepts(value_bytes);
}

Result<RowFilters> parse_filters(const Options& options, Patterns patterns) {
  RowFilters filters;
  filters.hash_key = TRY(parse_filter(options, 'h', 'x', "hash_key", Exact::kForbidden, patterns));
  filters.sort_key = TRY(parse_filter(options, 's', 'y', "sort_key", Exact::kAllowed, patterns));
  filters.value = TRY(parse_filter(options, 'v', 'z', "value", Exact::kAllowed, patterns));
  return filters;
}

void print_filter(std::ostream& to, std::string_view name, const Filter& filter,
                  std::string_view before, std::string_view between) {
  to << before << name << "_filter_type" << between << kMatchNames[size_t(filter.match)] << "\n";
  if (filter.match != Match::kAll)
    to << before << name << "_filter_pattern" << between << "\"" << c_escape(filter.pattern, false)
       << "\"\n";
}

}  // namespace pegmove::shell
