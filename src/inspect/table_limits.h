// What a table's app envs do to requests: denied, throttled. Read as servers read them
// (base/app_env_text.h), and said for people.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pegmove::inspect {

enum class Access { kReads, kWrites };

// Whether replica.deny_client_request denies this; its value then ("reconfig*all").
std::optional<std::string> denied_by(const std::map<std::string, std::string>& envs, Access access);

// A throttle, and what it leaves to a copy.
struct ThrottleText {
  std::string env;     // "replica.write_throttling"
  std::string value;   // "20K*delay*100,30K*reject*200"
  std::string leaves;  // "from 20,480 requests/s on each waits 100 ms, at 30,720 requests/s they
                       // are refused"; says so when the value is not understood
};
// Those that touch such requests. Pegasus: src/utils/throttling_controller.cpp,
// token_bucket_throttling_controller.cpp.
std::vector<ThrottleText> throttles_of(const std::map<std::string, std::string>& envs,
                                       Access access);

}  // namespace pegmove::inspect
