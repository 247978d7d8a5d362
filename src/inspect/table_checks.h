// Pure checks of existing tables, for all methods: no clock, no network.
#pragma once

#include <map>
#include <string>

#include "inspect/finding.h"
#include "inspect/inspection.h"

namespace pegmove::inspect {

// Checks that all partitions serve and can be read, that the table is not being split, and whether
// foreign rows (client/foreign_rows.h) were seen.
Findings check_partitions(const SideFacts& side);
// What work sends to a table.
struct Needs {
  bool reads = false;
  bool writes = false;
};
// What of it the table's app envs deny, as an error. `place`: "table 't' on cluster B".
Findings check_denied(const std::map<std::string, std::string>& envs, Needs needs,
                      const std::string& place);
// Checks for denied and throttled requests, and for envs that change rows. `envs` are those that
// the target has, or will have.
Findings check_envs(const Inspection& inspection, const std::map<std::string, std::string>& envs);

}  // namespace pegmove::inspect
