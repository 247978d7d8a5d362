// The changes of check_and_mutate, as they are typed one a line: "set SORT_KEY VALUE [TTL]",
// "del SORT_KEY", then "ok", or "abort".
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace pegmove::shell {

struct TypedSet {
  std::string sort_key;
  std::string value;
  int32_t ttl_seconds = 0;  // 0: for ever
};
struct TypedDel {
  std::string sort_key;
};
enum class LoadEnd { kOk, kAbort };

using MutationLine = std::variant<TypedSet, TypedDel, LoadEnd>;

// Errors: kInvalidArgument, in the words of Pegasus's shell.
Result<MutationLine> parse_mutation(std::string_view line);

}  // namespace pegmove::shell
