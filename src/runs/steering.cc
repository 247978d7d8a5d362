#include "runs/steering.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"

namespace pegmove::runs {
namespace {

using journal::Request;
using journal::Run;
using journal::RunState;
using Steer = std::function<Task<bool>(RunSession&)>;

constexpr async::milliseconds kBetweenLooks{50};

Result<Run> run_of(const SessionPlace& place) {
  return TRY(journal::Journal::open(place.journal_path, place.clock)).get(place.run);
}

// Sends a request to the process that works on the run; when there is none, `unattended` is called
// with the run locked.
Task<Run> steer(SessionPlace place, Request request, Deadline deadline, Steer unattended) {
  CO_TRY(
      CO_TRY(journal::Journal::open(place.journal_path, place.clock)).request(place.run, request));
  while (true) {
    auto steered = co_await RunSession::hold<bool>(place, unattended);
    if (steered) co_return run_of(place);
    const auto code = steered.error().code();
    auto run = CO_TRY(run_of(place));
    if (code == Code::kRefused && journal::is_final(run.state)) co_return run;
    if (code != Code::kBusy) co_return fail(std::move(steered.error()));
    if (deadline.passed(place.clock))
      co_return fail(Code::kTimeout,
                     fmt::format("run {} was asked to stop, but its process still works; give a "
                                 "longer --wait (`pegmove status {}` shows what it does)",
                                 place.run, place.run));
    co_await place.clock.sleep_for(kBetweenLooks);  // no result
  }
}

// nullopt: the process that worked on the run has answered the request by leaving.
Task<std::optional<Ending>> take_up(RunSession& session, Request request,
                                    std::function<Task<Ending>(RunSession&)> unattended) {
  if (!session.adopt(request)) co_return std::nullopt;
  co_return CO_TRY(co_await unattended(session));
}

Result<bool> is_answered_in(
    const SessionPlace& place,
    const std::function<bool(const std::vector<journal::StepRecord>&)>& in) {
  return in(TRY(TRY(journal::Journal::open(place.journal_path, place.clock)).steps(place.run)));
}

Task<bool> pause_unattended(RunSession& session) {
  if (session.is_cancel_requested())
    co_return fail(Code::kRefused,
                   fmt::format("run {} is being cancelled; continue with `pegmove cancel {}`",
                               session.run().id, session.run().id));
  if (session.run().state != RunState::kPaused)
    CO_TRY(co_await session.leave(RunState::kPaused, ""));
  co_return true;
}

Task<bool> cancel_unattended(RunSession& session, const Registry& registry, const Events& events) {
  const auto& run = session.run();
  auto work = CO_TRY((*CO_TRY(registry.find(run))).make(run));
  CO_TRY(co_await undo(session, *work, events));
  co_return true;
}

Task<bool> abandon_unattended(RunSession& session, const Registry& registry) {
  const auto& run = session.run();
  auto work = CO_TRY((*CO_TRY(registry.find(run))).make(run));
  CO_TRY(co_await abandon(session, *work));
  co_return true;
}

UndoEnd end_named(const std::string& name) {
  if (name == "cannot") return UndoEnd::kCannot;
  return name == "stays" ? UndoEnd::kStays : UndoEnd::kUndone;
}

}  // namespace

Task<Run> pause(SessionPlace place, Deadline deadline) {
  co_return co_await steer(std::move(place), Request::kPause, deadline, pause_unattended);
}

Task<Run> cancel(SessionPlace place, const Registry& registry, const Events& events,
                 Deadline deadline) {
  co_return co_await steer(std::move(place), Request::kCancel, deadline,
                           [&registry, &events](RunSession& session) {
                             return cancel_unattended(session, registry, events);
                           });
}

Task<Asked> ask(SessionPlace place, Request request,
                std::function<bool(const std::vector<journal::StepRecord>&)> is_answered,
                std::function<Task<Ending>(RunSession&)> unattended, Deadline deadline) {
  CO_TRY(
      CO_TRY(journal::Journal::open(place.journal_path, place.clock)).request(place.run, request));
  while (true) {
    auto ending = co_await RunSession::hold<std::optional<Ending>>(
        place, [request, &unattended](RunSession& session) {
          return take_up(session, request, unattended);
        });
    auto run = CO_TRY(run_of(place));
    if (ending) co_return Asked{std::move(run), *std::move(ending)};
    const auto code = ending.error().code();
    if (code == Code::kRefused && journal::is_final(run.state)) co_return Asked{std::move(run)};
    if (code != Code::kBusy) co_return fail(std::move(ending.error()));
    if (CO_TRY(is_answered_in(place, is_answered))) co_return Asked{std::move(run)};
    if (deadline.passed(place.clock))
      co_return fail(Code::kTimeout,
                     fmt::format("run {} has not done what was asked yet; give a longer --wait "
                                 "(`pegmove status {}` shows what it does)",
                                 place.run, place.run));
    co_await place.clock.sleep_for(kBetweenLooks);  // no result
  }
}

Task<Run> abandon(SessionPlace place, const Registry& registry) {
  CO_TRY(co_await RunSession::hold<bool>(
      place, [&registry](RunSession& session) { return abandon_unattended(session, registry); }));
  co_return run_of(place);
}

std::vector<Undone> undone_of(const Run& run) {
  const auto result = base::parse_json<nlohmann::json>(run.result);
  std::vector<Undone> all;
  if (!result.is_object() || !result.contains("cancelled") || !result["cancelled"].is_array())
    return all;
  for (const auto& each : result["cancelled"])
    if (each.is_object())
      all.push_back(
          {.end = end_named(base::text_in(each, "end")), .says = base::text_in(each, "says")});
  return all;
}

}  // namespace pegmove::runs
