#include "migration/run_keeper.h"

#include <algorithm>
#include <utility>

namespace pegmove::migration {
namespace {

using async::milliseconds;
using journal::Request;
using journal::RunState;

constexpr milliseconds kBetweenSaves{200};
// Others hold the journal for milliseconds; who does so for longer hangs.
constexpr int kMostBusySaves = 5;

RunState state_after(const Result<void>& outcome, std::optional<Request> requested,
                     bool has_begun) {
  if (outcome) return RunState::kDone;
  if (requested == Request::kCancel || !has_begun) return RunState::kCancelled;
  if (outcome.error().code() != Code::kInterrupted) return RunState::kFailed;
  return requested == Request::kPause ? RunState::kPaused : RunState::kInterrupted;
}

}  // namespace

Task<std::unique_ptr<RunKeeper>> RunKeeper::take(asio::any_io_executor executor, Clock& clock,
                                                 std::string journal_path, std::string run,
                                                 async::StopSignal& stop) {
  auto journal = CO_TRY(journal::Journal::open(journal_path, clock));
  auto lock = CO_TRY(journal::RunLock::take(journal, run));
  auto found = CO_TRY(journal.get(run));
  if (journal::is_final(found.state))
    co_return fail(Code::kRefused, "run " + run + " is over: it is " +
                                       std::string(journal::to_string(found.state)) +
                                       "; `pegmove status " + run + "` tells how it ended");
  auto stored = CO_TRY(journal.positions(run));
  // A pause from before was for a process that is gone: whoever takes the run wants it to go on.
  auto before = CO_TRY(journal.changes_since(run, 0));
  if (std::ranges::count(before.requests, Request::kCancel) > 0) {
    CO_TRY(journal.set_state(run, RunState::kCancelled));
    co_return fail(Code::kRefused, "run " + run +
                                       " was to be cancelled when its process ended; it is "
                                       "cancelled now, and what it did so far stays");
  }
  if (!before.requests.empty()) CO_TRY(journal.answer_requests(run, before.version));
  auto keeper = std::unique_ptr<RunKeeper>(
      new RunKeeper(executor, clock, stop, std::move(journal), std::move(lock), std::move(found)));
  keeper->stored_ = std::move(stored);
  keeper->settings_ = std::move(before.settings);
  keeper->version_ = before.version;
  co_return keeper;
}

RunKeeper::RunKeeper(asio::any_io_executor executor, Clock& clock, async::StopSignal& stop,
                     journal::Journal journal, journal::RunLock lock, journal::Run run)
    : clock_(clock),
      stop_(stop),
      journal_(std::move(journal)),
      lock_(std::move(lock)),
      id_(run.id),
      run_(std::move(run)),
      background_(std::move(executor)) {}

RunKeeper::~RunKeeper() = default;

Task<> RunKeeper::begin(SettingListener listener) {
  listener_ = std::move(listener);
  run_ = CO_TRY(co_await pool_.run([this] { return journal_.set_state(id_, RunState::kRunning); }));
  if (listener_)
    for (const auto& [key, value] : settings_) listener_(key, value);
  CO_TRY(co_await exchange());
  background_.spawn(watch());
  co_return Result<void>();
}

void RunKeeper::note(journal::LanePosition position) {
  auto lane = position.lane;
  noted_[lane] = std::move(position);
}

Task<> RunKeeper::forget_positions() {
  stored_.clear();
  co_return co_await pool_.run([this] { return journal_.forget_positions(id_); });
}

void RunKeeper::set_reason(std::string reason) { reason_ = std::move(reason); }

Task<> RunKeeper::set_result(std::string result) {
  CO_TRY(co_await save());
  auto reason = reason_;
  run_ = CO_TRY(co_await pool_.run(
      [&] { return journal_.set_state(id_, RunState::kRunning, reason, result); }));
  written_reason_ = std::move(reason);
  co_return Result<void>();
}

// Saves and listens until the end; a journal that cannot be written ends the work.
Routine<> RunKeeper::watch() {
  int busy = 0;
  while (!background_.stopped()) {
    co_await clock_.sleep_for(kBetweenSaves);  // no result
    if (background_.stopped()) co_return;
    auto exchanged = co_await exchange();
    if (exchanged) {
      busy = 0;
    } else if (exchanged.error().code() != Code::kBusy || ++busy >= kMostBusySaves) {
      broken_ = std::move(exchanged).error();
      stop_.request();
      co_return;
    }
  }
}

Task<> RunKeeper::exchange() {
  CO_TRY(co_await save());
  CO_TRY(co_await hear());
  if (requested_) stop_.request();
  co_return Result<void>();
}

Task<> RunKeeper::save() {
  if (!noted_.empty()) {
    std::vector<journal::LanePosition> positions;
    for (auto& [lane, position] : std::exchange(noted_, {}))
      positions.push_back(std::move(position));
    auto saved = co_await pool_.run([&] { return journal_.save(id_, positions); });
    // What could not be written is to be written the next time, unless it is out of date by then.
    if (!saved)
      for (auto& position : positions) noted_.try_emplace(position.lane, std::move(position));
    CO_TRY(std::move(saved));
  }
  if (reason_ == written_reason_) co_return Result<void>();
  auto reason = reason_;
  run_ = CO_TRY(
      co_await pool_.run([&] { return journal_.set_state(id_, RunState::kRunning, reason); }));
  written_reason_ = std::move(reason);
  co_return Result<void>();
}

Task<> RunKeeper::hear() {
  auto changes =
      CO_TRY(co_await pool_.run([this] { return journal_.changes_since(id_, version_); }));
  version_ = changes.version;
  for (auto request : changes.requests)
    if (requested_ != Request::kCancel) requested_ = request;
  if (listener_)
    for (const auto& [key, value] : changes.settings) listener_(key, value);
  co_return Result<void>();
}

Task<RunEnd> RunKeeper::end(const Result<void>& outcome, std::optional<std::string> result) {
  background_.stop();
  co_await background_.join();  // no result
  if (broken_) co_return fail(std::move(*broken_));
  reason_ = written_reason_;  // the last word is the outcome's
  CO_TRY(co_await save());
  CO_TRY(co_await hear());
  RunEnd end{.state = state_after(outcome, requested_, has_begun_work()),
             .reason = outcome ? "" : outcome.error().to_string()};
  if (requested_ && !outcome && outcome.error().code() == Code::kInterrupted) end.reason = "";
  CO_TRY(co_await pool_.run([&]() -> Result<void> {
    TRY(journal_.answer_requests(id_, version_));
    TRY(journal_.set_state(id_, end.state, end.reason, result));
    return {};
  }));
  co_return end;
}

}  // namespace pegmove::migration
