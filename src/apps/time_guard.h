// `pegmove guard` without the id of a run: on another host, by the time alone.
#pragma once

#include "apps/runs.h"
#include "apps/zookeeper_options.h"

namespace pegmove::apps {

struct TimeGuardArguments {
  ZooKeeperArguments zookeeper;
  std::string from, to, table, to_table;
  std::string longest = "10m";
};
void add_time_guard_options(Verb& verb, TimeGuardArguments& arguments);

// Guards until it has given a cutover back, or is stopped. Returns the exit code.
int guard_by_time(const RunArguments& run, const TimeGuardArguments& arguments);

}  // namespace pegmove::apps
