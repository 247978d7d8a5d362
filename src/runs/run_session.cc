#include "runs/run_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runs/work.h"

namespace pegmove::runs {
namespace {

using async::milliseconds;
using journal::Request;
using journal::RunState;

constexpr milliseconds kBetweenSaves{200};
constexpr milliseconds kBetweenLines{1000};
// Other processes hold the journal for milliseconds; one that holds it for longer hangs.
constexpr int kMostBusySaves = 5;
// How often a lease is extended within its length.
constexpr int kExtensionsPerLease = 4;

}  // namespace

Task<std::unique_ptr<RunSession>> RunSession::take(SessionPlace place) {
  auto journal = CO_TRY(journal::Journal::open(place.journal_path, place.clock));
  auto lock = CO_TRY(journal::RunLock::take(journal, place.run));
  auto found = CO_TRY(journal.get(place.run));
  if (journal::is_final(found.state))
    co_return fail(Code::kRefused,
                   fmt::format("run {} has ended: it is {}; `pegmove status {}` shows how it ended",
                               place.run, journal::to_string(found.state), place.run));
  auto steps = CO_TRY(journal.steps(place.run));
  auto before = CO_TRY(journal.changes_since(place.run, 0));
  auto session = std::unique_ptr<RunSession>(
      new RunSession(std::move(place), std::move(journal), std::move(lock), std::move(found)));
  session->steps_ = std::move(steps);
  session->settings_ = std::move(before.settings);
  session->version_ = before.version;
  session->before_ = before.requests;
  // Old requests were for a process that has ended; a cancel is for the run.
  if (std::ranges::count(before.requests, Request::kCancel) > 0)
    session->requested_ = Request::kCancel;
  else if (!before.requests.empty())
    CO_TRY(session->journal_.answer_requests(session->id_, before.version));
  co_return session;
}

RunSession::RunSession(SessionPlace place, journal::Journal journal, journal::RunLock lock,
                       journal::Run run)
    : clock_(place.clock),
      stop_(place.stop),
      journal_(std::move(journal)),
      lock_(std::move(lock)),
      id_(run.id),
      run_(std::move(run)),
      executor_(std::move(place.executor)) {}

RunSession::~RunSession() = default;

Task<> RunSession::begin(SettingListener listener) {
  listener_ = std::move(listener);
  run_ = CO_TRY(co_await pool_.run([this] { return journal_.set_state(id_, RunState::kRunning); }));
  written_reason_ = reason_ = "";
  if (listener_)
    for (const auto& [key, value] : settings_) listener_(key, value);
  CO_TRY(co_await exchange());
  background_.emplace(executor_);
  background_->spawn(watch());
  co_return Result<void>();
}

Task<> RunSession::begin_undo() {
  run_ =
      CO_TRY(co_await pool_.run([this] { return journal_.set_state(id_, RunState::kCancelling); }));
  co_return Result<void>();
}

const journal::StepRecord* RunSession::find_step(std::string_view name) const {
  const auto found = std::ranges::find(steps_, name, &journal::StepRecord::name);
  return found == steps_.end() ? nullptr : &*found;
}

Task<> RunSession::save_step(journal::StepRecord step) {
  std::vector<journal::StepRecord> steps;
  steps.push_back(std::move(step));
  co_return co_await save_steps(std::move(steps));
}

Task<> RunSession::save_steps(std::vector<journal::StepRecord> steps) {
  CO_TRY(co_await save());
  CO_TRY(co_await pool_.run([&] { return journal_.save_steps(id_, steps); }));
  for (auto& step : steps) {
    if (step.state == journal::StepState::kBegun && step_ != step.name) {
      stored_ = CO_TRY(co_await pool_.run([&] { return journal_.positions(id_, step.name); }));
      step_ = step.name;
    }
    const auto found = std::ranges::find(steps_, step.name, &journal::StepRecord::name);
    if (found == steps_.end())
      steps_.push_back(std::move(step));
    else
      *found = std::move(step);
  }
  co_return Result<void>();
}

void RunSession::limit_step(std::optional<milliseconds> within) {
  step_ends_ = within ? std::optional(clock_.now() + *within) : std::nullopt;
}

Task<> RunSession::grant_lease(std::string step, milliseconds length, Extend extend) {
  if (extend == Extend::kNo) {
    const auto until_ms = clock_.unix_us() / 1000 + length.count();
    co_return co_await pool_.run(
        [&] { return journal_.lease(id_, {.step = step, .until_unix_ms = until_ms}); });
  }
  leases_[std::move(step)] = length;
  leases_extended_.reset();
  co_return co_await extend_leases();
}

Task<> RunSession::extend_leases() {
  if (leases_.empty()) co_return Result<void>();
  auto shortest = milliseconds::max();
  for (const auto& [step, length] : leases_) shortest = std::min(shortest, length);
  if (leases_extended_ && clock_.now() - *leases_extended_ < shortest / kExtensionsPerLease)
    co_return Result<void>();
  const auto now_ms = clock_.unix_us() / 1000;
  auto leases = leases_;
  CO_TRY(co_await pool_.run([&]() -> Result<void> {
    for (const auto& [step, length] : leases)
      TRY(journal_.lease(id_, {.step = step, .until_unix_ms = now_ms + length.count()}));
    return {};
  }));
  leases_extended_ = clock_.now();
  co_return Result<void>();
}

Task<> RunSession::end_leases() {
  auto leases = std::exchange(leases_, {});
  co_return co_await pool_.run([&]() -> Result<void> {
    for (const auto& lease : TRY(journal_.leases(id_))) leases[lease.step];
    for (const auto& [step, length] : leases) TRY(journal_.lease(id_, {.step = step}));
    return {};
  });
}

Task<std::vector<journal::UnitPosition>> RunSession::positions_of(std::string step) {
  co_return co_await pool_.run([&] { return journal_.positions(id_, step); });
}

void RunSession::note(journal::UnitPosition position) {
  position.step = step_;
  auto unit = position.unit;
  noted_[unit] = std::move(position);
}

Task<> RunSession::forget_positions() {
  stored_.clear();
  co_return co_await pool_.run([this] { return journal_.forget_positions(id_, step_); });
}

Task<> RunSession::plan_units(std::string step, std::vector<std::string> specs) {
  co_return co_await pool_.run([&] { return journal_.plan_units(id_, step, specs); });
}

Task<std::vector<std::string>> RunSession::planned_units(std::string step) {
  co_return co_await pool_.run([&] { return journal_.planned_units(id_, step); });
}

bool RunSession::adopt(Request request) {
  if (std::ranges::count(before_, request) == 0) return false;
  asked_ = request;
  return true;
}

void RunSession::set_reason(std::string reason) { reason_ = std::move(reason); }

void RunSession::set_progress(journal::Progress progress) {
  progress.step = step_;
  progress_ = std::move(progress);
}

void RunSession::show_progress(const Events& events, journal::Progress progress, bool is_last) {
  const auto now = clock_.now();
  if (events.show && (is_last || now - shown_ >= kBetweenLines)) {
    shown_ = now;
    events.show(progress.line);
  }
  set_progress(std::move(progress));
}

bool RunSession::is_cancel_requested() const {
  return requested_ == Request::kCancel || run_.state == RunState::kCancelling;
}

Task<> RunSession::withdraw_cancel() {
  requested_.reset();
  stop_.withdraw();
  CO_TRY(co_await pool_.run([this] { return journal_.answer_requests(id_, version_); }));
  co_return Result<void>();
}

// Saves, and reads requests, until the end; a journal that cannot be written stops the work.
Routine<> RunSession::watch() {
  int busy = 0;
  while (!background_->stopped()) {
    co_await clock_.sleep_for(kBetweenSaves);  // no result
    if (background_->stopped()) co_return;
    if (step_ends_ && clock_.now() >= *step_ends_) {
      timed_out_ = true;
      stop_.request();
    }
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

Task<> RunSession::exchange() {
  CO_TRY(co_await save());
  CO_TRY(co_await extend_leases());
  CO_TRY(co_await hear());
  if (requested_) stop_.request();
  co_return Result<void>();
}

Task<> RunSession::save() {
  if (!noted_.empty()) {
    std::vector<journal::UnitPosition> positions;
    for (auto& [unit, position] : std::exchange(noted_, {}))
      positions.push_back(std::move(position));
    auto saved = co_await pool_.run([&] { return journal_.save(id_, positions); });
    // What could not be written is written the next time, unless it is out of date by then.
    if (!saved)
      for (auto& position : positions) noted_.try_emplace(position.unit, std::move(position));
    CO_TRY(std::move(saved));
  }
  if (auto progress = std::exchange(progress_, std::nullopt))
    CO_TRY(co_await pool_.run([&] { return journal_.save_progress(id_, *progress); }));
  if (reason_ == written_reason_ || run_.state != RunState::kRunning) co_return Result<void>();
  auto reason = reason_;
  run_ = CO_TRY(
      co_await pool_.run([&] { return journal_.set_state(id_, RunState::kRunning, reason); }));
  written_reason_ = std::move(reason);
  co_return Result<void>();
}

Task<> RunSession::hear() {
  auto changes =
      CO_TRY(co_await pool_.run([this] { return journal_.changes_since(id_, version_); }));
  version_ = changes.version;
  for (auto request : changes.requests) {
    const bool is_for_a_step = request != Request::kPause && request != Request::kCancel;
    if (is_for_a_step)
      asked_ = request;
    else if (requested_ != Request::kCancel)
      requested_ = request;
  }
  if (listener_)
    for (const auto& [key, value] : changes.settings) listener_(key, value);
  co_return Result<void>();
}

Routine<> RunSession::stop_watching() {
  if (!background_) co_return;
  background_->stop();
  co_await background_->join();  // no result
  background_.reset();
}

Task<> RunSession::rest() {
  co_await stop_watching();  // no result
  listener_ = {};
  if (broken_) co_return fail(*broken_);
  reason_ = written_reason_;  // leave() writes the final one
  CO_TRY(co_await save());
  co_return co_await hear();
}

Task<> RunSession::leave(RunState state, std::string reason, std::optional<std::string> result) {
  run_ = CO_TRY(co_await pool_.run([&]() -> Result<journal::Run> {
    // During a cancel the request stays: it is answered only after everything is undone.
    if (state != RunState::kCancelling) TRY(journal_.answer_requests(id_, version_));
    return journal_.set_state(id_, state, reason, result);
  }));
  co_return Result<void>();
}

Task<> RunSession::finish(std::optional<journal::StepRecord> last, std::string result) {
  run_ = CO_TRY(co_await pool_.run([&]() -> Result<journal::Run> {
    if (last) TRY(journal_.save_step(id_, *last));
    TRY(journal_.answer_requests(id_, version_));
    return journal_.set_state(id_, RunState::kDone, "", result);
  }));
  co_return Result<void>();
}

}  // namespace pegmove::runs
