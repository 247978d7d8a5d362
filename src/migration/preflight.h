// Before a copy: a look at both clusters that changes nothing and finds everything that is wrong at
// once.
#pragma once

#include "client/table.h"
#include "migration/judgement.h"

namespace pegmove::migration {

// A cluster as somebody tried to reach it: one that cannot be reached is a finding like others.
struct Side {
  std::string word;  // as the user named it
  Result<std::shared_ptr<client::Cluster>> cluster;
};

struct Preflight {
  CopyOptions options;
  PreflightFacts facts{};
  Judgement judgement{};
  std::shared_ptr<client::Cluster> source_cluster{}, target_cluster{};  // null: not reached
  std::shared_ptr<client::Table> source{}, target{};                    // null: not there

  bool can_begin() const { return !judgement.findings.has_errors(); }
};

// Asks both clusters and their servers, and judges. Writes nothing anywhere. Each question has its
// deadline (five seconds, or options.timeout when that is less; twice that for meta servers): what
// is not answered becomes a finding.
Routine<Preflight> look_before_copy(Side source, Side target, CopyOptions options);

}  // namespace pegmove::migration
