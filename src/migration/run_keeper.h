// A run of the journal while a process works on it: the lock, the positions, what others want.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "async/pool.h"
#include "async/stop_signal.h"
#include "async/task_group.h"
#include "journal/journal.h"
#include "journal/run_lock.h"

namespace pegmove::migration {

// How a run that ended came to its end.
struct RunEnd {
  journal::RunState state = journal::RunState::kDone;
  std::string reason{};
};

// Holds the run's lock from take() on, so that no second process works on it. All on one executor;
// the journal's calls run on a thread of its own. Order: take(); positions(), settings(); begin();
// note() and set_reason() as often as you like; co_await end(); destroy.
class RunKeeper {
 public:
  // A setting that somebody changed (`pegmove set`). Called between begin() and end(), and by
  // begin() for those that were set before.
  using SettingListener = std::function<void(const std::string& key, const std::string& value)>;

  // `stop` is requested when somebody asks for a pause or a cancel. It and the clock outlive this.
  // A cancel that the process before did not live to obey is obeyed here.
  // Errors: kBusy (another process works on it, named), kNotFound, kRefused (the run is over), the
  // journal's.
  static Task<std::unique_ptr<RunKeeper>> take(asio::any_io_executor executor, Clock& clock,
                                               std::string journal_path, std::string run,
                                               async::StopSignal& stop);
  ~RunKeeper();

  const journal::Run& run() const { return run_; }
  // Those stored, by lane; lanes that have not begun are missing.
  const std::vector<journal::LanePosition>& positions() const { return stored_; }

  // Marks the run as running and begins to watch and to save. Errors: the journal's.
  Task<> begin(SettingListener listener = {});

  // How far a lane is. Kept in memory and written to the journal five times a second.
  void note(journal::LanePosition position);
  // Positions are of no use any more: everything begins anew. Before the first note().
  Task<> forget_positions();
  // Why the run waits; "" when it does not. Written with the positions.
  void set_reason(std::string reason);
  // A result that is replaced later, such as what has been made so far. JSON. Written at once, with
  // what is noted.
  Task<> set_result(std::string result);

  // Whether somebody asked for a cancel.
  bool is_cancelled() const { return requested_ == journal::Request::kCancel; }

  // False as long as the run has no result, so that nothing was written for it.
  bool has_begun_work() const { return !run_.result.empty(); }

  // Writes what is noted and the final state: done for success; cancelled for an error before
  // set_result(), since there is nothing to go on with, and for any error after somebody asked for
  // a cancel; paused when somebody asked for that and `outcome` is kInterrupted; interrupted or
  // failed otherwise, with the error as reason. Returns what it wrote; the lock stays until this is
  // destroyed. Errors: the journal's, the one among them that ended the work.
  Task<RunEnd> end(const Result<void>& outcome, std::optional<std::string> result = std::nullopt);

 private:
  RunKeeper(asio::any_io_executor executor, Clock& clock, async::StopSignal& stop,
            journal::Journal journal, journal::RunLock lock, journal::Run run);
  Routine<> watch();
  Task<> exchange();
  Task<> save();
  Task<> hear();

  Clock& clock_;
  async::StopSignal& stop_;
  async::Pool pool_{1};
  journal::Journal journal_;
  journal::RunLock lock_;
  const std::string id_;  // for the journal's thread: run_ may change meanwhile
  journal::Run run_;
  std::vector<journal::LanePosition> stored_;
  std::map<int32_t, journal::LanePosition> noted_;  // not written yet
  std::string reason_;
  std::string written_reason_;  // as the journal has it
  std::optional<journal::Request> requested_;
  std::optional<Error> broken_;                  // why the journal could not be written
  std::map<std::string, std::string> settings_;  // of before
  int64_t version_ = 0;                          // of the changes heard
  SettingListener listener_;
  async::TaskGroup background_;
};

}  // namespace pegmove::migration
