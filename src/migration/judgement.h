// Judges what the probes saw: everything that is wrong with a copy that is about to begin, and how
// it would be made. Pure: no clock, no network.
#pragma once

#include "migration/carried_envs.h"
#include "migration/finding.h"
#include "migration/write_way.h"

namespace pegmove::migration {

struct Judgement {
  Findings findings{};
  WriteWay way{};
  std::vector<EnvDecision> envs{};  // of the table that is to be made
};

Judgement judge(const PreflightFacts& facts, const CopyOptions& options);

// Parts of it.

// Clusters that cannot be talked to, calls that were not answered.
Findings judge_reachability(const SideFacts& side);
// Versions, clocks, data versions, access control of the servers of one side.
// `needs_clocks`: duplicated writes are wanted.
Findings judge_servers(const SideFacts& side, bool needs_clocks);
// Whether the tables are there, or can be made, and serve.
Findings judge_tables(const PreflightFacts& facts, const CopyOptions& options);
// What a table that is made gets of the source's envs.
Findings judge_creation(const PreflightFacts& facts, const CopyOptions& options,
                        const std::vector<EnvDecision>& envs);
// Denied and throttled requests, envs that change rows. `envs` are those that the target has, or
// will have.
Findings judge_envs(const PreflightFacts& facts, const EnvMap& envs);
// Whether newer rows of clients can be kept.
Findings judge_live(const PreflightFacts& facts, const CopyOptions& options, const WriteWay& way);
// The way, as a finding.
Findings judge_way(const WriteWay& way, const CopyOptions& options);

}  // namespace pegmove::migration
