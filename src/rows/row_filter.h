// Which rows of a table are wanted, by hash key, sort key and value.
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
// The reverse, whatever the case, but "no_filter" is none. nullopt for other texts.
std::optional<Match> parse_match(std::string_view text);

struct RowFilter {
  Match match = Match::kAll;
  std::string pattern{};  // bytes; an empty one is part of everything

  bool accepts(std::string_view bytes) const;
  bool operator==(const RowFilter&) const = default;
};

// A row is wanted when all three accept it.
struct RowFilters {
  RowFilter hash_key{};  // not kExact
  RowFilter sort_key{};
  RowFilter value{};

  // Servers know neither exact matches nor filters of values.
  bool need_rows_here() const {
    return value.match != Match::kAll || sort_key.match == Match::kExact;
  }
  // What of the filters a server can do; the rest is up to accepts_rest().
  void apply_to(client::ScanOptions& options) const;
  bool accepts_rest(std::string_view sort_key_bytes, std::string_view value_bytes) const;

  bool operator==(const RowFilters&) const = default;
};

}  // namespace pegmove::rows
