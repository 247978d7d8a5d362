// A job that a cluster carries out by itself after one request: a backup, a restore, a bulk load.
// It is started once, watched until it ends, and adopted by its id after this process was killed.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "runs/run_session.h"
#include "runs/work.h"

namespace pegmove::runs {

template <typename Status>
class RemoteJob {
 public:
  virtual ~RemoteJob() = default;

  // Starts the job on the cluster. Returns what later processes need to find the job: JSON.
  virtual Task<std::string> start(StepContext context) = 0;
  // The same for a job that a killed process has started, found by asking the cluster; nullopt: it
  // has not.
  virtual Task<std::optional<std::string>> adopt(StepContext context) = 0;

  // Errors: kRefused, kNotFound and kCorrupt: the job has failed; the message says what state is
  // left. Others: not known.
  virtual Task<Status> poll() = 0;
  // Shows the progress. Returns true when the job has succeeded. Errors: as of poll().
  virtual Task<bool> look(StepContext context, const Status& status) = 0;
  // After a failure: undoes what should not stay. A resumed run starts another job.
  virtual Task<> after_failure(StepContext) { co_return Result<void>(); }
  // Whether a cancel can still end the job; if not, it is watched to its end in any case.
  virtual bool can_be_cancelled(const Status&) const { return true; }
  // What happens to the job when this process stops watching, as the reason of an interrupted run:
  // "the cluster continues the backup by itself".
  virtual std::string left_alone() const = 0;

  // Ends the job on the cluster. May be repeated, also when there is no job. An error: the result
  // is not known.
  virtual Task<Undone> cancel(StepContext context) = 0;

  // Watches until the job has succeeded. Errors: kInterrupted (stopped), the job's.
  Task<> watch(StepContext context, async::milliseconds between_polls) {
    auto& session = context.session;
    while (true) {
      const auto status = CO_TRY(co_await poll());
      if (CO_TRY(co_await look(context, status))) co_return Result<void>();
      const bool is_too_late = session.is_cancel_requested() && !can_be_cancelled(status);
      if (session.stop().requested() && !is_too_late)
        co_return fail(Code::kInterrupted, left_alone());
      co_await session.clock().sleep_for(between_polls);  // no result
    }
  }
};

// The second step of a job. After a failure the job is marked to be started again.
template <typename Status>
Task<std::string> wait_for(RemoteJob<Status>& job, std::string name, StepContext context,
                           async::milliseconds between_polls) {
  auto watched = co_await job.watch(context, between_polls);
  if (watched) co_return std::string();
  const auto code = watched.error().code();
  if (code == Code::kRefused || code == Code::kNotFound || code == Code::kCorrupt) {
    CO_TRY(co_await job.after_failure(context));
    CO_TRY(co_await context.session.save_step(
        {.name = "start-" + name, .state = journal::StepState::kUndone}));
  }
  co_return fail(std::move(watched.error()));
}

// The two steps of a job, "start-NAME" and "wait-for-NAME". The job must outlive them. `take` is
// that of the first, whose product is what start() returned.
template <typename Status>
std::vector<Step> steps_of(RemoteJob<Status>& job, const std::string& name, std::string start_does,
                           std::string wait_does, async::milliseconds between_polls,
                           std::function<Result<void>(const journal::StepRecord&)> take) {
  return {{.name = "start-" + name,
           .does = std::move(start_does),
           .kind = StepKind::kCompensable,
           .run = [&job](StepContext context) { return job.start(context); },
           .find_product = [&job](StepContext context) { return job.adopt(context); },
           .take = std::move(take),
           .undo = [&job](StepContext context,
                          const journal::StepRecord&) { return job.cancel(context); }},
          {.name = "wait-for-" + name,
           .does = std::move(wait_does),
           .is_remote = true,
           .run = [&job, name, between_polls](StepContext context) {
             return wait_for(job, name, context, between_polls);
           }}};
}

}  // namespace pegmove::runs
