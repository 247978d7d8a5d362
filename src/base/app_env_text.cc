#include "base/app_env_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <string>

#include "base/text.h"

namespace pegmove::base {
namespace {

using std::chrono::milliseconds;

std::unexpected<Error> refuse(std::string hint) {
  return fail(Code::kInvalidArgument, std::move(hint));
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

// As C's strtoull reads it. That turns a negative number into a large one: those are refused, but
// "-0" is valid.
std::optional<uint64_t> parse_unsigned(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const unsigned long long value = std::strtoull(copy.c_str(), &end, 0);
  if (end != copy.c_str() + copy.size() || errno != 0) return std::nullopt;
  if (value != 0 && text.contains('-')) return std::nullopt;
  return value;
}

// "20", "20K", "20M".
Result<uint64_t> parse_units(std::string_view text) {
  uint64_t factor = 1;
  if (text.ends_with('K')) factor = 1 << 10;
  if (text.ends_with('M')) factor = 1 << 20;
  if (factor != 1) text.remove_suffix(1);
  const auto count = parse_unsigned(text);
  if (!count) return refuse(quoted(text) + " should be an unsigned integer");
  if (*count > std::numeric_limits<uint64_t>::max() / factor)
    return refuse(quoted(text) + " result is overflow");
  return *count * factor;
}

Result<void> parse_item(std::string_view item, Throttle& throttle) {
  const auto fields = split_fields(item, '*', true);
  if (fields.size() != 3)
    return refuse(fmt::format("The field count of {} separated by '*' must be 3", quoted(item)));
  const uint64_t units = TRY(parse_units(fields[0]));
  if (fields[1] != "delay" && fields[1] != "reject")
    return refuse(quoted(fields[1]) + " should be 'delay' or 'reject'");
  const auto pause = parse_unsigned(fields[2]);
  if (!pause) return refuse(quoted(fields[2]) + " should be an unsigned integer");
  auto& place = fields[1] == "delay" ? throttle.delay : throttle.reject;
  if (place) return refuse(fmt::format("duplicate {} config", quoted(fields[1])));
  constexpr uint64_t kLongest = 24ull * 3600 * 1000;  // a huge number must not overflow a clock
  place = ThrottleStep{.units = units, .pause = milliseconds(std::min(*pause, kLongest))};
  return {};
}

}  // namespace

Result<Throttle> parse_throttle(std::string_view value) {
  const auto items = split_fields(value, ',', false);
  if (items.empty()) return refuse("The value shouldn't be empty");
  Throttle throttle;
  for (const auto item : items) TRY(parse_item(item, throttle));
  return throttle;
}

Result<uint64_t> parse_read_size_limit(std::string_view value) {
  if (const auto rate = parse_units(value); rate && *rate > 0) return *rate;
  Throttle alone;
  if (parse_item(value, alone) && alone.delay) return 0;
  const Throttle throttle = TRY(parse_throttle(value));
  if (!throttle.reject || throttle.reject->units == 0)
    return refuse("reject value should be greater than 0");
  return throttle.reject->units;
}

Result<DenyRule> parse_deny_rule(std::string_view value) {
  const auto fields = split_fields(value, '*', true);
  const bool is_rule = fields.size() == 2 && (fields[0] == "timeout" || fields[0] == "reconfig") &&
                       (fields[1] == "all" || fields[1] == "write" || fields[1] == "read");
  if (!is_rule)
    return refuse(
        "Invalid deny client args, valid include: timeout*all, timeout*write, timeout*read; "
        "reconfig*all, reconfig*write, reconfig*read");
  return DenyRule{
      .answer = fields[0] == "reconfig" ? DenyRule::Answer::kReconfigure : DenyRule::Answer::kNone,
      .reads = fields[1] != "write",
      .writes = fields[1] != "read"};
}

}  // namespace pegmove::base
