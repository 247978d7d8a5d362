// resume: goes on with a run of any method.
#include "apps/runs.h"
#include "apps/verify_run.h"
#include "migration/cold_backup/back_up.h"
#include "migration/copy/copy_run.h"
#include "migration/load/load.h"
#include "migration/restore/restore.h"
#include "migration/split/split.h"

namespace pegmove::apps {
namespace {

int resume(const RunArguments& arguments, const std::string& id) {
  async::SystemClock clock;
  auto journal = open_journal(arguments.state, clock);
  if (!journal) return report(journal.error());
  auto run = journal->get(id);
  if (!run) return report(run.error(), kUsage);
  if (journal::is_final(run->state))
    return report(Error(Code::kRefused, "run " + id + " is over: it is " +
                                            std::string(journal::to_string(run->state)) +
                                            "; `pegmove status " + id + "` tells how it ended"));
  if (run->method == migration::kCopyMethod) return resume_copy(arguments, *run);
  if (run->method == migration::kBackupMethod) return resume_backup(arguments, *run);
  if (run->method == migration::kRestoreMethod) return resume_restore(arguments, *run);
  if (run->method == migration::kSplitMethod) return resume_split(arguments, *run);
  if (run->method == migration::kLoadMethod) return resume_load(arguments, *run);
  if (run->method == kVerifyMethod) return resume_verify(arguments, *run);
  if (run->method == kRepairMethod) return resume_repair(arguments, *run);
  return report(Error(Code::kUnsupported, "run " + id + " is of method '" + run->method +
                                              "', which this pegmove does not know; use the one "
                                              "that began it"));
}

}  // namespace

void add_resume_command(CLI::App& program, int& exit_code) {
  struct Arguments {
    RunArguments run;
    std::string id;
  };
  auto arguments = std::make_shared<Arguments>();
  auto* verb =
      add_verb(program, "resume",
               "Example: pegmove resume copy-20261122-1\n\n"
               "Goes on with a run that was interrupted, killed or paused, or that failed, "
               "where the journal says that it was. What was asked for when it began "
               "holds, and so does what `pegmove set` changed since.");
  verb->add_option("id", arguments->id, "the run, as `pegmove list` shows it")->required();
  add_state_option(*verb, arguments->run.state);
  add_common_options(*verb, arguments->run.common);
  verb->callback([arguments, &exit_code] { exit_code = resume(arguments->run, arguments->id); });
}

}  // namespace pegmove::apps
