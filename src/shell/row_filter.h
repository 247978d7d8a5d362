// The filters of scanning commands: -h -x (hash key), -s -y (sort key), -v -z (value).
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "client/scanner.h"
#include "shell/options.h"

namespace pegmove::shell {

enum class Match { kAll = 0, kAnywhere = 1, kPrefix = 2, kPostfix = 3, kExact = 4 };

struct Filter {
  Match match = Match::kAll;
  std::string pattern{};

  bool accepts(std::string_view bytes) const;
};

struct RowFilters {
  Filter hash_key;
  Filter sort_key;
  Filter value;

  // Servers know neither exact matches nor filters of values.
  bool need_rows_here() const {
    return value.match != Match::kAll || sort_key.match == Match::kExact;
  }
  // What of the filters a server can do; the rest is up to accepts_rest().
  void apply_to(client::ScanOptions& options) const;
  bool accepts_rest(std::string_view sort_key_bytes, std::string_view value_bytes) const;
};

// What the patterns are, as typed: copy_data and count_data read escapes in them once more.
enum class Patterns { kPlain, kEscaped };

// Errors: kInvalidArgument, "invalid sort_key_filter_type param" and the like, and bad escapes.
Result<RowFilters> parse_filters(const Options& options, Patterns patterns);

// "NAME_filter_type: TYPE" and, if there is a filter, "NAME_filter_pattern: "..."" in lines that
// begin with `before` and have `between` in the place of ": ".
void print_filter(std::ostream& to, std::string_view name, const Filter& filter,
                  std::string_view before = "", std::string_view between = ": ");

}  // namespace pegmove::shell
