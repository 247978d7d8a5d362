// Whether a stored value passes the check of CHECK_AND_SET and CHECK_AND_MUTATE.
// Pegasus: validate_check in src/server/pegasus_write_service_impl.h.
#pragma once

#include <optional>
#include <string_view>

#include "data_types.h"

namespace pegmove::server::replica {

enum class CheckResult {
  kPassed,
  kNotPassed,
  kInvalid,  // a value or an operand that must be a number is not one
};

// Types in requests may be any number.
bool is_check_type(int type);

// `value`: nothing when the row does not exist or has expired. Precondition: is_check_type().
CheckResult check(wire::cas_check_type type, std::string_view operand,
                  std::optional<std::string_view> value);

}  // namespace pegmove::server::replica
