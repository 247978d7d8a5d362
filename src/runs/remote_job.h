// A job that a cluster does by itself once it was told to: a backup, a restore, a bulk load. Told
// once, watched until it is over, adopted by its id when this process was killed meanwhile.
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

  // Has the cluster begin. Returns what later processes need to find the job: JSON.
  virtual Task<std::string> start(StepContext context) = 0;
  // The same of a job that a killed process has begun, by what the cluster says; nothing: it has
  // not.
  virtual Task<std::optional<std::string>> adopt(StepContext context) = 0;

  // Errors: kRefused, kNotFound and kCorrupt: the job has failed, and what holds now; others: not
  // known.
  virtual Task<Status> poll() = 0;
  // Shows how far it is. True: it has ended well. Errors: as of poll().
  virtual Task<bool> look(StepContext context, const Status& status) = 0;
  // After the job has failed: puts back what should not stay. A resumed run starts another job.
  virtual Task<> after_failure(StepContext) { co_return Result<void>(); }
  // Whether a cancel could still end it; if not, it is watched to its end whatever is asked.
  virtual bool can_be_cancelled(const Status&) const { return true; }
  // What holds when this process leaves it, as the reason of an interrupted run: "the cluster
  // continues the backup by itself".
  virtual std::string left_alone() const = 0;

  // Ends the job on the cluster. May be repeated, and may find that there is none. An error: not
  // known.
  virtual Task<Undone> cancel(StepContext context) = 0;

  // Watches until the job has ended well. Errors: kInterrupted (stopped), the job's.
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

// The second step of a job. One that has failed is to be started again.
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

// The two steps of a job, "start-NAME" and "wait-for-NAME". The job outlives them. `take`: of the
// first, whose product is start()'s.
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
