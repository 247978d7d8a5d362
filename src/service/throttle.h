// Throttles of a table: how their text reads, and how requests are counted against them.
// Pegasus: src/utils/throttling_controller.cpp, src/utils/token_bucket_throttling_controller.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::service {

// From `units` a second on, requests wait `pause` (before they are carried out, or refused).
struct ThrottleStep {
  uint64_t units = 0;  // 0: the step never acts
  std::chrono::milliseconds pause{0};
};

struct Throttle {
  std::optional<ThrottleStep> delay;
  std::optional<ThrottleStep> reject;
};

// "<units>[K|M]*<delay|reject>*<ms>", one or two of them with a comma between; K is 1024.
// Errors: kInvalidArgument, with Pegasus's own words as the message.
Result<Throttle> parse_throttle(std::string_view value);

// Bytes a second: "20", "20K", "20M", or the reject part of a throttle. A delay part alone is taken
// and means no limit, which is 0. Errors: as above.
Result<uint64_t> parse_read_size_limit(std::string_view value);

// The pieces of `text` between the separators, without the blanks around them.
std::vector<std::string_view> split_fields(std::string_view text, char separator, bool keep_empty);

enum class Verdict { kPass, kDelay, kReject };

// Counts units within the second of the wall clock in which they come. A partition's share of a
// table's limit is units / partition_count + 1. For one thread at a time.
class ThrottleWindow {
 public:
  ThrottleWindow() = default;
  ThrottleWindow(const Throttle& throttle, int32_t partition_count);

  struct Decision {
    Verdict verdict = Verdict::kPass;
    std::chrono::milliseconds pause{0};
  };
  // The units of what is rejected are not counted. A pause is at most half of the client's timeout,
  // when that is known (> 0).
  Decision take(uint64_t units, int64_t unix_seconds, std::chrono::milliseconds client_timeout);

 private:
  ThrottleStep delay_;
  ThrottleStep reject_;
  int64_t second_ = 0;
  uint64_t units_ = 0;
};

// Bytes that flow into a bucket at a steady rate, and out of it after the fact: it may go below
// zero, and is open again when it is above. Holds at most one second's worth. For one thread at a
// time.
class ByteBucket {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  ByteBucket() = default;  // without a limit
  // rate: bytes a second; 0 = no limit.
  explicit ByteBucket(uint64_t rate) : rate_(double(rate)), level_(double(rate)) {}

  bool is_open(Instant now);
  void take(uint64_t bytes) { level_ -= double(bytes); }

 private:
  double rate_ = 0;
  double level_ = 0;
  std::optional<Instant> filled_at_;
};

}  // namespace pegmove::service
