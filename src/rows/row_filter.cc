#include "rows/row_filter.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace pegmove::rows {
namespace {

constexpr std::array<std::string_view, 5> kMatchNames = {"no_filter", "anywhere", "prefix",
                                                         "postfix", "exact"};

bool is_same_word(std::string_view typed, std::string_view lower) {
  return std::ranges::equal(typed, lower,
                            [](unsigned char a, unsigned char b) { return std::tolower(a) == b; });
}

}  // namespace

std::string_view match_name(Match match) { return kMatchNames[size_t(match)]; }

std::optional<Match> parse_match(std::string_view text) {
  for (size_t i = 1; i < kMatchNames.size(); ++i)
    if (is_same_word(text, kMatchNames[i])) return Match(i);
  return std::nullopt;
}

bool RowFilter::accepts(std::string_view bytes) const {
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
  // An exact match also begins with the pattern.
  auto match = sort_key.match == Match::kExact ? Match::kPrefix : sort_key.match;
  options.sort_key_filter = int(match);
  options.sort_key_pattern = sort_key.pattern;
}

bool RowFilters::accepts_rest(std::string_view sort_key_bytes, std::string_view value_bytes) const {
  if (sort_key.match == Match::kExact && !sort_key.accepts(sort_key_bytes)) return false;
  return value.accepts(value_bytes);
}

}  // namespace pegmove::rows
