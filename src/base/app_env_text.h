// App envs of a table that several folders parse: throttles and denied requests. The meta server
// checks them, replicas apply them, and a migration reports how they would affect it. Pegasus:
// src/utils/throttling_controller.cpp, src/utils/token_bucket_throttling_controller.cpp,
// src/replica/replica_throttle.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace pegmove::base {

// From `units` per second on, requests wait `pause` (before they are carried out, or refused).
struct ThrottleStep {
  uint64_t units = 0;  // 0: the step never acts
  std::chrono::milliseconds pause{0};
};

struct Throttle {
  std::optional<ThrottleStep> delay;
  std::optional<ThrottleStep> reject;
};

// "<units>[K|M]*<delay|reject>*<ms>", one or two of them, separated by a comma; K is 1024. Errors:
// kInvalidArgument, with Pegasus's own words as the message.
Result<Throttle> parse_throttle(std::string_view value);

// Bytes per second: "20", "20K", "20M", or the reject part of a throttle. A delay part alone is
// accepted and means no limit, which is 0. Errors: as above.
Result<uint64_t> parse_read_size_limit(std::string_view value);

// replica.deny_client_request
struct DenyRule {
  enum class Answer { kNone, kReconfigure };  // no reply at all, or "ask the meta server again"
  Answer answer = Answer::kNone;
  bool reads = false;
  bool writes = false;
};

// "<timeout|reconfig>*<all|read|write>". Errors: kInvalidArgument, with Pegasus's own words.
Result<DenyRule> parse_deny_rule(std::string_view value);

}  // namespace pegmove::base
