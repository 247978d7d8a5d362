#include "server/replica/checks.h"

#include "base/units.h"

namespace pegmove::server::replica {
namespace {

CheckResult passed_if(bool passed) {
  return passed ? CheckResult::kPassed : CheckResult::kNotPassed;
}

// `order` is negative, 0 or positive: how the value compares to the operand. `offset` counts from
// ..._LESS.
CheckResult compare(int offset, int order) {
  constexpr int kLess = 0, kLessOrEqual = 1, kEqual = 2, kGreaterOrEqual = 3;
  switch (offset) {
    case kLess: return passed_if(order < 0);
    case kLessOrEqual: return passed_if(order <= 0);
    case kEqual: return passed_if(order == 0);
    case kGreaterOrEqual: return passed_if(order >= 0);
    default: return passed_if(order > 0);
  }
}

CheckResult compare_numbers(int offset, std::string_view operand, std::string_view value) {
  auto left = base::parse_c_integer(value), right = base::parse_c_integer(operand);
  if (!left || !right) return CheckResult::kInvalid;
  return compare(offset, *left < *right ? -1 : *left > *right ? 1 : 0);
}

}  // namespace

bool is_check_type(int type) {
  return type >= wire::CT_NO_CHECK && type <= wire::CT_VALUE_INT_GREATER;
}

CheckResult check(wire::cas_check_type type, std::string_view operand,
                  std::optional<std::string_view> value) {
  switch (type) {
    case wire::CT_NO_CHECK: return CheckResult::kPassed;
    case wire::CT_VALUE_NOT_EXIST: return passed_if(!value);
    case wire::CT_VALUE_NOT_EXIST_OR_EMPTY: return passed_if(!value || value->empty());
    default: break;
  }
  if (!value) return CheckResult::kNotPassed;
  switch (type) {
    case wire::CT_VALUE_EXIST: return CheckResult::kPassed;
    case wire::CT_VALUE_NOT_EMPTY: return passed_if(!value->empty());
    case wire::CT_VALUE_MATCH_ANYWHERE: return passed_if(value->contains(operand));
    case wire::CT_VALUE_MATCH_PREFIX: return passed_if(value->starts_with(operand));
    case wire::CT_VALUE_MATCH_POSTFIX: return passed_if(value->ends_with(operand));
    default: break;
  }
  if (type < wire::CT_VALUE_INT_LESS)
    return compare(type - wire::CT_VALUE_BYTES_LESS, value->compare(operand));
  return compare_numbers(type - wire::CT_VALUE_INT_LESS, operand, *value);
}

}  // namespace pegmove::server::replica
