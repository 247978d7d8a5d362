// Which app envs of a source table a new table gets, and when: for a copy, and for a restore. One
// table of rules for both.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace pegmove::migration {

using EnvMap = std::map<std::string, std::string>;

enum class EnvFate {
  kAtCreation,     // acts when a partition is opened, so it is sent with CREATE_APP
  kAfterCreation,  // set when the partitions serve: servers check the value only then
  kAfterCopy,      // would change the rows that are copied, so it is set after them
  kLeftOut,
};

struct EnvDecision {
  std::string name;
  std::string value;
  EnvFate fate = EnvFate::kLeftOut;
  std::string why;
};

// By name. The rules are in the source file, with the reasons.
std::vector<EnvDecision> decide_envs(const EnvMap& source_envs);
// The envs with this fate.
EnvMap envs_of(const std::vector<EnvDecision>& decisions, EnvFate fate);

// Which of a backup's app envs a restored table gets, and why others are left out.
struct ReturningEnvs {
  EnvMap envs;
  std::vector<std::string> notes;
};
ReturningEnvs returning_envs(const EnvMap& saved);

}  // namespace pegmove::migration
