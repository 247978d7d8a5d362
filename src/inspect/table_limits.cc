#include "inspect/table_limits.h"

#include "base/units.h"

namespace pegmove::inspect {
namespace {

constexpr uint64_t kMostUnits = uint64_t{1} << 50;

std::optional<uint64_t> parse_units(std::string_view text) {
  uint64_t factor = 1;
  if (text.ends_with('K')) factor = 1 << 10;
  if (text.ends_with('M')) factor = 1 << 20;
  if (factor > 1) text.remove_suffix(1);
  auto number = base::parse_integer(text, 0, int64_t(kMostUnits));
  if (!number) return std::nullopt;
  return uint64_t(*number) * factor;
}

std::string rate(uint64_t units, bool bytes) {
  return bytes ? base::format_size(units) + "/s" : base::format_count(units) + " requests/s";
}

// One "<units>*<delay|reject>*<ms>"; nullopt when it is none.
std::optional<std::string> describe_step(std::string_view step, bool bytes) {
  auto first = step.find('*'), last = step.rfind('*');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  auto units = parse_units(step.substr(0, first));
  auto verb = step.substr(first + 1, last - first - 1);
  auto pause = base::parse_integer(step.substr(last + 1), 0, INT32_MAX);
  if (!units || !pause || (verb != "delay" && verb != "reject")) return std::nullopt;
  if (*units == 0) return "";  // the step never acts
  auto text = "from " + rate(*units, bytes) + " on ";
  if (verb == "delay") return text + "each request waits " + std::to_string(*pause) + " ms";
  return text + "requests are refused";
}

std::string describe(std::string_view value, bool bytes) {
  if (value.find('*') == std::string_view::npos) {
    auto units = parse_units(value);
    return units ? "from " + rate(*units, bytes) + " on requests are refused"
                 : "its value is not understood";
  }
  std::string text;
  while (!value.empty()) {
    auto end = std::min(value.find(','), value.size());
    auto step = describe_step(value.substr(0, end), bytes);
    if (!step) return "its value is not understood";
    if (!step->empty()) text += (text.empty() ? "" : ", ") + *step;
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  return text;
}

}  // namespace

std::optional<std::string> denied_by(const std::map<std::string, std::string>& envs,
                                     Access access) {
  auto found = envs.find("replica.deny_client_request");
  if (found == envs.end()) return std::nullopt;
  const auto& value = found->second;
  auto what = std::string_view(value).substr(std::min(value.find('*'), value.size()));
  auto concerned = access == Access::kReads ? "*read" : "*write";
  if (what == "*all" || what == concerned) return value;
  return std::nullopt;
}

std::vector<ThrottleText> throttles_of(const std::map<std::string, std::string>& envs,
                                       Access access) {
  struct Kind {
    const char* env;
    bool bytes;
  };
  constexpr Kind kReads[] = {{"replica.read_throttling", false},
                             {"replica.read_throttling_by_size", true}};
  constexpr Kind kWrites[] = {{"replica.write_throttling", false},
                              {"replica.write_throttling_by_size", true}};
  std::vector<ThrottleText> throttles;
  for (const auto& kind : access == Access::kReads ? kReads : kWrites) {
    auto found = envs.find(kind.env);
    if (found == envs.end()) continue;
    auto leaves = describe(found->second, kind.bytes);
    if (!leaves.empty()) throttles.push_back({kind.env, found->second, leaves});
  }
  return throttles;
}

}  // namespace pegmove::inspect
