#include "inspect/table_limits.h"

#include <fmt/format.h>

#include "base/app_env_text.h"
#include "base/units.h"

namespace pegmove::inspect {
namespace {

struct Kind {
  const char* env;
  bool bytes = false;
  bool is_never_delayed = false;
};
constexpr Kind kReads[] = {
    {"replica.read_throttling"},
    {.env = "replica.read_throttling_by_size", .bytes = true, .is_never_delayed = true}};
constexpr Kind kWrites[] = {{"replica.write_throttling"},
                            {.env = "replica.write_throttling_by_size", .bytes = true}};

std::string rate(uint64_t units, bool bytes) {
  return bytes ? base::format_size(units) + "/s" : base::format_count(units) + " requests/s";
}

// A step without units has no effect.
std::string describe(const base::Throttle& throttle, bool bytes) {
  std::string text;
  if (throttle.delay && throttle.delay->units > 0)
    text = fmt::format("from {} on each request waits {} ms", rate(throttle.delay->units, bytes),
                       throttle.delay->pause.count());
  if (throttle.reject && throttle.reject->units > 0)
    text += fmt::format("{}from {} on requests are refused", text.empty() ? "" : ", ",
                        rate(throttle.reject->units, bytes));
  return text;
}

// As replica servers parse it.
Result<base::Throttle> read_throttle(const Kind& kind, std::string_view value) {
  if (!kind.is_never_delayed) return base::parse_throttle(value);
  return base::Throttle{
      .delay = {},
      .reject = base::ThrottleStep{.units = TRY(base::parse_read_size_limit(value)), .pause = {}}};
}

}  // namespace

std::optional<std::string> denied_by(const std::map<std::string, std::string>& envs,
                                     Access access) {
  const auto found = envs.find("replica.deny_client_request");
  if (found == envs.end()) return std::nullopt;
  const auto rule = base::parse_deny_rule(found->second);
  if (rule && (access == Access::kReads ? rule->reads : rule->writes)) return found->second;
  return std::nullopt;
}

std::vector<ThrottleText> throttles_of(const std::map<std::string, std::string>& envs,
                                       Access access) {
  std::vector<ThrottleText> throttles;
  for (const auto& kind : access == Access::kReads ? kReads : kWrites) {
    const auto found = envs.find(kind.env);
    if (found == envs.end()) continue;
    const auto throttle = read_throttle(kind, found->second);
    auto leaves = throttle ? describe(*throttle, kind.bytes) : "its value cannot be parsed";
    if (!leaves.empty()) throttles.push_back({kind.env, found->second, std::move(leaves)});
  }
  return throttles;
}

}  // namespace pegmove::inspect
