// A run of the journal while a process works on it: the lock, the positions, and requests from
// elsewhere.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/pool.h"
#include "async/stop_signal.h"
#include "async/task_group.h"
#include "journal/journal.h"
#include "journal/run_lock.h"

namespace pegmove::runs {

struct Events;

// Which run, and in which journal. Clock and stop must outlive the session.
struct SessionPlace {
  asio::any_io_executor executor;
  Clock& clock;
  async::StopSignal& stop;  // requested on a request to pause or cancel
  std::string journal_path;
  std::string run;
};

// A session exists only inside hold(), which takes the run's lock before the work and joins the
// background tasks after it, however the work ends: nothing else can begin or end one. All on one
// executor; the journal's calls run on a thread of their own.
class RunSession {
 public:
  // A changed setting (`pegmove set`). Called by begin() for those that were changed before, and
  // until rest() for others.
  using SettingListener = std::function<void(const std::string& key, const std::string& value)>;

  // Locks the run and calls `work`, which must not keep the session. Errors: kBusy (another process
  // works on the run, named), kNotFound, kRefused (the run has ended), the journal's; those of
  // `work`.
  template <typename T>
  static Task<T> hold(SessionPlace place, std::function<Task<T>(RunSession&)> work) {
    auto session = CO_TRY(co_await take(std::move(place)));
    auto result = co_await work(*session);
    co_await session->stop_watching();  // no result
    co_return result;
  }
  ~RunSession();

  const journal::Run& run() const { return run_; }
  Clock& clock() const { return clock_; }
  const async::StopSignal& stop() const { return stop_; }

  // Marks the run as running, and begins to read requests and to save. Errors: the journal's.
  Task<> begin(SettingListener listener = {});
  // The same for a cancel: the state becomes "cancelling". Does not read requests.
  Task<> begin_undo();

  // The steps that were begun, in order.
  const std::vector<journal::StepRecord>& steps() const { return steps_; }
  const journal::StepRecord* find_step(std::string_view name) const;
  // Writes a step and waits for the disk. note() and positions() belong to the step that was begun
  // last.
  Task<> save_step(journal::StepRecord step);
  // Several at once, all or none.
  Task<> save_steps(std::vector<journal::StepRecord> steps);
  // A time limit of the current step. Checked in the background.
  void limit_step(std::optional<async::milliseconds> within);
  bool timed_out() const { return timed_out_; }
  // Grants the step's lease, and extends it in the background, unless it is for a time that must
  // not pass whatever this process does. end_leases() ends all.
  enum class Extend { kYes, kNo };
  Task<> grant_lease(std::string step, async::milliseconds length, Extend extend = Extend::kYes);
  Task<> end_leases();

  // The positions of the current step that earlier processes stored, by unit.
  const std::vector<journal::UnitPosition>& positions() const { return stored_; }
  // Those of any step. Errors: the journal's.
  Task<std::vector<journal::UnitPosition>> positions_of(std::string step);
  // The position of a unit. Kept in memory and written to the journal five times a second.
  void note(journal::UnitPosition position);
  // Removes the positions of the step. Only before the first note().
  Task<> forget_positions();
  // Stores the units of a step, or reads them.
  Task<> plan_units(std::string step, std::vector<std::string> specs);
  Task<std::vector<std::string>> planned_units(std::string step);

  // Why the run waits; "" when it does not. Written with the positions.
  void set_reason(std::string reason);
  // What `status` shows; the step is filled in.
  void set_progress(journal::Progress progress);
  // The same, and shows its line to the user: once a second, and always when it is the last.
  void show_progress(const Events& events, journal::Progress progress, bool is_last);

  // Whether a cancel was requested, or has begun before.
  bool is_cancel_requested() const;
  // It was too late for the cancel: the run continues. Errors: the journal's.
  Task<> withdraw_cancel();
  // A pause or a cancel.
  std::optional<journal::Request> requested() const { return requested_; }
  // The other requests (cutover, rollback, complete) are for a step: the newest that was filed
  // since this process holds the run, once.
  std::optional<journal::Request> take_request() { return std::exchange(asked_, std::nullopt); }
  // Those that were filed before were for a process that has ended, and are answered by it. This
  // takes one of them over: whether it was there. Before the work.
  bool adopt(journal::Request request);

  // A step that has led back: when it returns, it and the steps before it, from the named one on,
  // are written as undone, with the reason, and done again from there. What they have made is not
  // undone by this.
  void repeat_from(std::string step, std::string why) { repeat_ = {std::move(step), why}; }
  struct Repeat {
    std::string step;
    std::string why;
  };
  bool leads_back() const { return repeat_.has_value(); }
  std::optional<Repeat> take_repeat() { return std::exchange(repeat_, std::nullopt); }

  // Ends the background work, writes what is noted, and reads requests a last time. Errors: the
  // journal's, among them the one that stopped the work. begin() may follow.
  Task<> rest();
  // After rest(): writes the state that the run has when this process leaves it, which answers all
  // requests. The lock stays until hold() returns. Errors: the journal's.
  Task<> leave(journal::RunState state, std::string reason,
               std::optional<std::string> result = std::nullopt);
  // The same for a run that is done, with its last step, if it had one to do.
  Task<> finish(std::optional<journal::StepRecord> last, std::string result);

 private:
  RunSession(SessionPlace place, journal::Journal journal, journal::RunLock lock, journal::Run run);
  static Task<std::unique_ptr<RunSession>> take(SessionPlace place);
  Routine<> watch();
  Routine<> stop_watching();
  Task<> exchange();
  Task<> save();
  Task<> hear();
  Task<> extend_leases();

  Clock& clock_;
  async::StopSignal& stop_;
  async::Pool pool_{1};
  journal::Journal journal_;
  journal::RunLock lock_;
  const std::string id_;  // for the journal's thread: run_ may change meanwhile
  journal::Run run_;
  std::vector<journal::StepRecord> steps_;
  std::string step_;  // the current one
  std::vector<journal::UnitPosition> stored_;
  std::map<int32_t, journal::UnitPosition> noted_;  // not written yet
  std::string reason_;
  std::string written_reason_;                 // as it is in the journal
  std::optional<journal::Progress> progress_;  // not written yet
  async::Instant shown_{};
  std::optional<async::Instant> step_ends_;
  bool timed_out_ = false;
  std::map<std::string, async::milliseconds> leases_;
  std::optional<async::Instant> leases_extended_;
  std::optional<journal::Request> requested_;
  std::optional<journal::Request> asked_;  // for a step
  std::vector<journal::Request> before_;   // found when the run was locked
  std::optional<Repeat> repeat_;
  std::optional<Error> broken_;                  // why the journal could not be written
  std::map<std::string, std::string> settings_;  // from before begin()
  int64_t version_ = 0;                          // of the newest change that was read
  SettingListener listener_;
  asio::any_io_executor executor_;
  std::optional<async::TaskGroup> background_;
};

}  // namespace pegmove::runs
