#include "service/throttle.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <string>

namespace pegmove::service {
namespace {

using std::chrono::milliseconds;

std::unexpected<Error> refuse(std::string hint) {
  return fail(Code::kInvalidArgument, std::move(hint));
}

std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

// As C's strtoull reads it. That turns a negative number into a big one: such are refused, but "-0"
// is good.
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
    return refuse("The field count of " + quoted(item) + " separated by '*' must be 3");
  const uint64_t units = TRY(parse_units(fields[0]));
  if (fields[1] != "delay" && fields[1] != "reject")
    return refuse(quoted(fields[1]) + " should be 'delay' or 'reject'");
  const auto pause = parse_unsigned(fields[2]);
  if (!pause) return refuse(quoted(fields[2]) + " should be an unsigned integer");
  auto& place = fields[1] == "delay" ? throttle.delay : throttle.reject;
  if (place) return refuse("duplicate " + quoted(fields[1]) + " config");
  constexpr uint64_t kLongest = 24ull * 3600 * 1000;  // a wild number must not overflow a clock
  place = ThrottleStep{.units = units, .pause = milliseconds(std::min(*pause, kLongest))};
  return {};
}

ThrottleStep share_of(const std::optional<ThrottleStep>& step, int32_t partition_count) {
  if (!step || step->units == 0) return {};
  return {.units = step->units / uint64_t(std::max(partition_count, 1)) + 1, .pause = step->pause};
}

milliseconds bounded(milliseconds pause, milliseconds client_timeout) {
  return client_timeout.count() > 0 ? std::min(pause, client_timeout / 2) : pause;
}

}  // namespace

std::vector<std::string_view> split_fields(std::string_view text, char separator, bool keep_empty) {
  std::vector<std::string_view> fields;
  for (bool more = true; more;) {
    const size_t end = text.find(separator);
    std::string_view field = text.substr(0, end);
    field.remove_prefix(std::min(field.find_first_not_of(" \t"), field.size()));
    field = field.substr(0, field.find_last_not_of(" \t\r\n") + 1);
    if (keep_empty || !field.empty()) fields.push_back(field);
    more = end != std::string_view::npos;
    if (more) text.remove_prefix(end + 1);
  }
  return fields;
}

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

ThrottleWindow::ThrottleWindow(const Throttle& throttle, int32_t partition_count)
    : delay_(share_of(throttle.delay, partition_count)),
      reject_(share_of(throttle.reject, partition_count)) {}

ThrottleWindow::Decision ThrottleWindow::take(uint64_t units, int64_t unix_seconds,
                                              milliseconds client_timeout) {
  if (delay_.units == 0 && reject_.units == 0) return {};
  if (second_ != unix_seconds) {
    second_ = unix_seconds;
    units_ = 0;
  }
  units_ += units;
  if (reject_.units > 0 && units_ > reject_.units) {
    units_ -= units;
    return {Verdict::kReject, bounded(reject_.pause, client_timeout)};
  }
  if (delay_.units > 0 && units_ > delay_.units)
    return {Verdict::kDelay, bounded(delay_.pause, client_timeout)};
  return {};
}

bool ByteBucket::is_open(Instant now) {
  if (rate_ == 0) return true;
  if (filled_at_) {
    const std::chrono::duration<double> since = now - *filled_at_;
    level_ = std::min(rate_, level_ + rate_ * std::max(since.count(), 0.0));
  }
  filled_at_ = now;
  return level_ > 0;
}

}  // namespace pegmove::service
