// The options of verbs that begin a copy, or check whether one could begin.
#pragma once

#include "apps/verb.h"

#include "apps/command.h"
#include "migration/copy/preflight.h"

namespace pegmove::apps {

struct PreflightOptions {
  bool create = false;
  int32_t partitions = 0;  // 0: that of the source
  bool into_nonempty = false;
  std::string through = "auto";
  bool live = false;
  bool dual_written = false;

  bool through_backup() const;
};
void add_preflight_options(Verb& verb, PreflightOptions& options);
// Errors: kInvalidArgument: options that contradict each other.
Result<void> check(const PreflightOptions& options);
// Copies them into the options of a copy.
void apply(const PreflightOptions& options, migration::CopyOptions& copy);

// Connects to both clusters at the same time, and inspects those that were reached. Precondition:
// both are names or addresses (CommandRun::check_clusters).
Routine<migration::Preflight> look_before_copy(CommandRun& run, std::string from, std::string to,
                                               migration::CopyOptions options);

// How a copy would write rows: "through DUPLICATE as cluster 1, since ...".
std::string describe_write_method(const migration::WriteMethod& method);

}  // namespace pegmove::apps
