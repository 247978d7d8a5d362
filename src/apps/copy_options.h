// The options of `pegmove copy` that select the rows and how they are written.
#pragma once

#include <optional>
#include <string>
#include <vector>
#include "apps/verb.h"

#include "migration/copy/copy_rules.h"

namespace pegmove::apps {

// As typed; in all of them \\xHH is a byte.
struct KeyFilterArguments {
  std::optional<std::string> hash_key{}, sort_key{};
};
// Adds --hash-key-filter and --sort-key-filter, which must outlive the verb.
void add_key_filter_options(Verb& verb, KeyFilterArguments& arguments);
// Errors: kInvalidArgument, naming the option.
Result<rows::RowFilters> parse_key_filters(const KeyFilterArguments& arguments);

struct CopyFilterArguments {
  std::vector<int32_t> partitions{};
  KeyFilterArguments keys{};
  std::optional<std::string> value_filter{};
  bool no_overwrite = false;
  bool no_value = false;
  bool no_ttl = false;
  bool multi_set = false;
  bool geo = false;
};

// Adds --partition, the filters, --no-overwrite, --no-value, --no-ttl, --multi-set and --geo. The
// arguments must outlive the verb.
void add_copy_filter_options(Verb& verb, CopyFilterArguments& arguments);

// The options as rules of a copy. `through_duplicate`: rows are written through DUPLICATE, which
// not all of them allow. Errors: kInvalidArgument, naming the option.
Result<migration::CopyRules> parse_copy_rules(const CopyFilterArguments& arguments,
                                              bool through_duplicate);

}  // namespace pegmove::apps
