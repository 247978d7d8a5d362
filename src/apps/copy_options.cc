#include "apps/copy_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "shell/words.h"

namespace pegmove::apps {
namespace {

using rows::Match;
using rows::WriteMode;

constexpr const char* kRows = "Rows";
constexpr const char* kWriting = "Writing";

enum class Exact { kForbidden, kAllowed };

// "MATCH:PATTERN"; not given: no filter.
Result<rows::RowFilter> parse_filter(const char* option, const std::optional<std::string>& typed,
                                     Exact exact) {
  rows::RowFilter filter;
  if (!typed) return filter;
  auto wrong = [&](std::string_view what) {
    return fail(Code::kInvalidArgument, fmt::format("{} '{}': {}", option, *typed, what));
  };
  auto colon = typed->find(':');
  auto match = rows::parse_match(std::string_view(*typed).substr(0, colon));
  bool is_known = match && (*match != Match::kExact || exact == Exact::kAllowed);
  if (!is_known || colon == std::string::npos)
    return wrong(exact == Exact::kAllowed
                     ? "give anywhere:PATTERN, prefix:PATTERN, postfix:PATTERN or exact:PATTERN"
                     : "give anywhere:PATTERN, prefix:PATTERN or postfix:PATTERN");
  auto pattern = shell::c_unescape(std::string_view(*typed).substr(colon + 1));
  if (!pattern) return wrong(pattern.error().message());
  if (pattern->empty() && *match != Match::kExact)
    return wrong("the pattern is empty, and every row matches it; leave the option out");
  return rows::RowFilter{*match, *std::move(pattern)};
}

Result<WriteMode> parse_mode(const CopyFilterArguments& arguments) {
  std::pair<bool, std::pair<const char*, WriteMode>> modes[] = {
      {arguments.no_overwrite, {"--no-overwrite", WriteMode::kNoOverwrite}},
      {arguments.multi_set, {"--multi-set", WriteMode::kMultiSet}},
      {arguments.geo, {"--geo", WriteMode::kGeo}}};
  WriteMode mode = WriteMode::kPlain;
  const char* given = nullptr;
  for (const auto& [is_given, named] : modes) {
    if (!is_given) continue;
    if (given)
      return fail(Code::kInvalidArgument,
                  fmt::format("{} and {} exclude each other", given, named.first));
    given = named.first;
    mode = named.second;
  }
  return mode;
}

// Combinations for which the rules' own errors would not name the options.
Result<void> check(const CopyFilterArguments& arguments, WriteMode mode, bool through_duplicate) {
  if (arguments.no_value && arguments.value_filter)
    return fail(Code::kInvalidArgument, "--no-value and --value-filter exclude each other");
  if (arguments.no_value && arguments.geo)
    return fail(Code::kInvalidArgument,
                "--no-value and --geo exclude each other: geo rows are made from values");
  if (through_duplicate && mode != WriteMode::kPlain)
    return fail(Code::kInvalidArgument,
                "--no-overwrite, --multi-set and --geo need --through plain");
  return {};
}

}  // namespace

void add_key_filter_options(Verb& verb, KeyFilterArguments& arguments) {
  verb.add_option(
          "--hash-key-filter", arguments.hash_key,
          "only rows with matching hash keys: anywhere:PATTERN, prefix:PATTERN or postfix:PATTERN, "
          "for example prefix:user_. Use it to move one application's part of a shared table. The "
          "source's servers still read every row. In the patterns of all filters \\xHH is a byte "
          "and \\\\ a backslash; \\n \\r \\t \\\" \\' also work")
      ->group(kRows);
  verb.add_option("--sort-key-filter", arguments.sort_key,
                  "only rows with matching sort keys: as above, or exact:PATTERN (exact: alone "
                  "means an empty sort key). Use it to move one kind of row of every hash key")
      ->group(kRows);
}

Result<rows::RowFilters> parse_key_filters(const KeyFilterArguments& arguments) {
  rows::RowFilters filters;
  filters.hash_key = TRY(parse_filter("--hash-key-filter", arguments.hash_key, Exact::kForbidden));
  filters.sort_key = TRY(parse_filter("--sort-key-filter", arguments.sort_key, Exact::kAllowed));
  return filters;
}

void add_copy_filter_options(Verb& verb, CopyFilterArguments& arguments) {
  verb.add_option("--partition", arguments.partitions,
                  "only this partition of the source, counted from 0; may be given several times. "
                  "Use it to try a copy on a part of the table, or to copy one part again")
      ->in_range(0, 65535)
      ->repeatable()
      ->group(kRows);
  add_key_filter_options(verb, arguments.keys);
  verb.add_option("--value-filter", arguments.value_filter,
                  "only rows with matching values: as above, or exact:PATTERN. All values cross "
                  "the network; filter by keys where you can")
      ->group(kRows);
  verb.add_flag("--no-value", arguments.no_value,
                "copy keys with empty values. Use it to see what a copy would move, or where only "
                "keys matter")
      ->group(kRows);
  verb.add_flag("--no-ttl", arguments.no_ttl,
                "copied rows do not expire, or get the target table's default_ttl. Use it to keep "
                "rows that would expire soon, or to give all rows the target's TTL")
      ->group(kRows);
  verb.add_flag("--no-overwrite", arguments.no_overwrite,
                "do not overwrite rows that exist in the target; they are counted. Use it to fill "
                "gaps while clients write to the target. Each row is an atomic operation of its "
                "own: this is slower, and tables that are duplicated to another cluster refuse it "
                "unless they are atomic_idempotent")
      ->group(kWriting);
  verb.add_flag("--multi-set", arguments.multi_set,
                "write all rows of a batch with the same hash key and expiry in one MULTI_PUT. Use "
                "it for hash keys with many sort keys whose expiries alternate. Without it only "
                "neighbours are combined, and only where that is faster than a PUT for each row, "
                "which is measured while the copy runs. The expiry of each row is preserved")
      ->group(kWriting);
  verb.add_flag("--geo", arguments.geo,
                "write a pair of tables of Pegasus's geo client: the target, and TABLE_geo, which "
                "must exist. Use it for tables that are searched by distance. Rows whose values "
                "have no latitude and longitude get no geo row, and are counted")
      ->group(kWriting);
}

Result<migration::CopyRules> parse_copy_rules(const CopyFilterArguments& arguments,
                                              bool through_duplicate) {
  migration::CopyRules rules{.partitions = arguments.partitions,
                             .with_values = !arguments.no_value,
                             .with_expiry = !arguments.no_ttl};
  std::ranges::sort(rules.partitions);
  auto repeated = std::ranges::unique(rules.partitions);
  rules.partitions.erase(repeated.begin(), repeated.end());
  rules.filters = TRY(parse_key_filters(arguments.keys));
  rules.filters.value =
      TRY(parse_filter("--value-filter", arguments.value_filter, Exact::kAllowed));
  rules.mode = TRY(parse_mode(arguments));
  TRY(check(arguments, rules.mode, through_duplicate));
  TRY(migration::check_copy_rules(rules, through_duplicate));
  return rules;
}

}  // namespace pegmove::apps
