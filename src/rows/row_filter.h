// Selects rows of a table, by hash key, sort key and value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "client/operations.h"

namespace pegmove::rows {

// The first four are those of client::Filter, and of the wire.
enum class Match { kAll = 0, kAnywhere = 1, kPrefix = 2, kPostfix = 3, kExact = 4 };

// "no_filter", "anywhere", "prefix", "postfix", "exact".
std::string_view match_name(Match match);
// The reverse, in any case; "no_filter" is not accepted. nullopt for other texts.
std::optional<Match> parse_match(std::string_view text);

struct RowFilter {
  Match match = Match::kAll;
  std::string pattern{};  // bytes; an empty one matches everything

  bool accepts(std::string_view bytes) const;
  bool operator==(const RowFilter&) const = default;
};

// A row is selected when all three accept it.
struct RowFilters {
  RowFilter hash_key{};  // not kExact
  RowFilter sort_key{};
  RowFilter value{};

  // Servers support neither exact matches nor filters of values.
  bool need_rows_here() const {
    return value.match != Match::kAll || sort_key.match == Match::kExact;
  }
  // The part of the filters that a server can apply; the rest is for accepts_rest().
  void apply_to(client::ScanOptions& options) const;
  bool accepts_rest(std::string_view sort_key_bytes, std::string_view value_bytes) const;

  bool operator==(const RowFilters&) const = default;
};

}  // namespace pegmove::rows
