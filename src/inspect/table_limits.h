// Requests that a table's app envs deny or throttle. The envs are parsed as servers parse them
// (base/app_env_text.h), and described for people.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pegmove::inspect {

enum class Access { kReads, kWrites };

// The value of replica.deny_client_request ("reconfig*all") if it denies this access.
std::optional<std::string> denied_by(const std::map<std::string, std::string>& envs, Access access);

// A throttle, and what it does to a copy.
struct ThrottleText {
  std::string env;     // "replica.write_throttling"
  std::string value;   // "20K*delay*100,30K*reject*200"
  std::string leaves;  // "from 20,480 requests/s on each waits 100 ms, at 30,720 requests/s they
                       // are refused"; or that the value is not understood
};
// The throttles of such requests. Pegasus: src/utils/throttling_controller.cpp,
// token_bucket_throttling_controller.cpp.
std::vector<ThrottleText> throttles_of(const std::map<std::string, std::string>& envs,
                                       Access access);

}  // namespace pegmove::inspect
