#include "runs/engine.h"

#include "base/check.h"
#include "base/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>

namespace pegmove::runs {
namespace {

using journal::Request;
using journal::RunState;
using journal::StepRecord;
using journal::StepState;
using Json = nlohmann::ordered_json;

constexpr std::string_view name_of(UndoEnd end) {
  switch (end) {
    case UndoEnd::kUndone: return "undone";
    case UndoEnd::kStays: return "stays";
    case UndoEnd::kCannot: return "cannot";
    case UndoEnd::kTooLate: return "too-late";
  }
  return "unknown";
}

// The run's result after a cancel.
std::string result_of(const std::vector<Undone>& undone) {
  Json list = Json::array();
  for (const auto& each : undone)
    if (!each.says.empty()) list.push_back({{"end", name_of(each.end)}, {"says", each.says}});
  return base::json_text(Json{{"cancelled", std::move(list)}});
}

class Engine {
 public:
  Engine(RunSession& session, Work& work, const Events& events)
      : session_(session), work_(work), events_(events), steps_(work.steps()) {}

  // The steps that earlier processes have begun or done.
  Result<void> take_journaled() {
    for (const auto& record : session_.steps())
      if (const auto* step = find(record.name); step && step->take && is_known(record))
        TRY(in_context(step->take(record), fmt::format("the journal's step {} of run {}",
                                                       record.name, session_.run().id)));
    return {};
  }

  Task<Ending> forward(bool is_open) {
    if (!is_open) {
      auto assessed = co_await work_.open(Purpose::kResume);
      if (!assessed) co_return Ending{.state = session_.run().state, .refused = assessed.error()};
      for (const auto& warning : assessed->warnings) events_.warn_of(warning);
      for (const auto& note : assessed->notes) events_.note(note);
      if (assessed->refusal)
        co_return Ending{.state = session_.run().state, .refused = assessed->refusal};
    }
    CO_TRY(co_await session_.begin(
        [this](const std::string& key, const std::string& value) { work_.apply(key, value); }));
    const auto outcome = co_await carry_out_steps();
    CO_TRY(co_await session_.rest());
    co_return co_await end(outcome);
  }

  Task<Ending> backward() {
    CO_TRY(co_await session_.begin_undo());
    events_.pass("cancelling");
    auto opened = has_to_undo() ? co_await work_.open(Purpose::kUndo) : Assessment{};
    auto undone = opened ? co_await undo_steps() : Result<bool>(fail(opened.error()));
    if (!undone) {
      auto reason = undone.error().to_string();
      CO_TRY(co_await session_.leave(RunState::kCancelling, reason));
      co_return Ending{.state = RunState::kCancelling, .reason = reason, .undone = undone_};
    }
    if (!*undone) {
      CO_TRY(co_await session_.withdraw_cancel());
      auto ending = CO_TRY(co_await forward(true));
      ending.was_too_late = true;
      co_return ending;
    }
    co_return co_await cancelled();
  }

  Task<Ending> abandoned() {
    for (const auto& record : session_.steps() | std::views::reverse) {
      const auto* step = find(record.name);
      const bool is_open = record.state != StepState::kUndone;
      if (is_open && (!step || step->undo))
        undone_.push_back(
            {.end = UndoEnd::kCannot,
             .says = fmt::format("step {} ({}) was not undone{}{}", record.name,
                                 step ? step->does : "unknown",
                                 record.before.empty() ? "" : "; state before it: " + record.before,
                                 record.product.empty() ? "" : "; it created: " + record.product)});
    }
    co_return co_await cancelled();
  }

 private:
  StepContext context() { return {.session = session_, .events = events_}; }
  static bool is_known(const StepRecord& record) { return record.state != StepState::kUndone; }

  const Step* find(std::string_view name) const {
    const auto found = std::ranges::find(steps_, name, &Step::name);
    return found == steps_.end() ? nullptr : &*found;
  }
  bool has_to_undo() const {
    return std::ranges::any_of(session_.steps(), [this](const StepRecord& record) {
      const auto* step = find(record.name);
      return record.state != StepState::kUndone && (!step || step->undo);
    });
  }
  void pass(const Step& step, std::string_view what) const {
    events_.pass(step.name + "." + std::string(what));
  }

  Task<> carry_out_steps() {
    for (size_t next = 0; next < steps_.size();) {
      const auto& step = steps_[next++];
      const auto* record = session_.find_step(step.name);
      if (record && record->state == StepState::kDone) continue;
      if (session_.stop().requested()) co_return fail(Code::kInterrupted, "stopped on request");
      session_.limit_step(step.within);
      auto done = co_await carry_out_step(step);
      session_.limit_step({});
      if (!done && session_.timed_out())
        co_return fail(Code::kTimeout, fmt::format("step {} exceeded its time limit", step.name));
      CO_TRY(std::move(done));
      if (auto repeat = session_.take_repeat()) next = CO_TRY(co_await go_back(next - 1, *repeat));
    }
    co_return Result<void>();
  }

  // All at once: a process that is killed in between must not take half of it for the whole.
  Task<size_t> go_back(size_t current, RunSession::Repeat repeat) {
    const auto from = std::ranges::find(steps_, repeat.step, &Step::name);
    base::check(from != steps_.end() && size_t(from - steps_.begin()) <= current,
                "a run leads back to a step that it has passed");
    const auto first = size_t(from - steps_.begin());
    std::vector<StepRecord> undone;
    for (auto i = first; i <= current; ++i) {
      const auto* found = session_.find_step(steps_[i].name);
      if (!found) continue;
      undone.push_back(*found);
      undone.back().state = StepState::kUndone;
      undone.back().outcome = repeat.why;
    }
    CO_TRY(co_await session_.save_steps(std::move(undone)));
    pass(*from, "repeats");
    co_return first;
  }

  Task<> carry_out_step(const Step& step) {
    const auto* before = session_.find_step(step.name);
    StepRecord record = before ? *before : StepRecord{.name = step.name};
    const bool may_have_happened = before && before->state == StepState::kBegun;
    if (!may_have_happened && step.find_before)
      record.before = CO_TRY(co_await step.find_before(context()));
    record.state = StepState::kBegun;
    CO_TRY(co_await session_.save_step(record));
    pass(step, "begun");
    if (step.lease) CO_TRY(co_await session_.grant_lease(step.name, *step.lease));
    if (step.take) CO_TRY(step.take(record));
    std::optional<std::string> product;
    if (may_have_happened && step.find_product)
      product = CO_TRY(co_await step.find_product(context()));
    if (!product) product = CO_TRY(co_await step.run(context()));
    pass(step, "acted");
    record.product = *std::move(product);
    record.state = StepState::kDone;
    // The last step is done when the run is: killed in between, it is repeated for its report.
    const bool is_done_now = &step != &steps_.back() && !session_.leads_back();
    if (is_done_now) CO_TRY(co_await session_.save_step(record));
    if (step.kind == StepKind::kPivot) CO_TRY(co_await session_.end_leases());
    if (is_done_now) pass(step, "done");
    if (step.take) CO_TRY(step.take(record));
    last_ = std::move(record);
    co_return Result<void>();
  }

  // Returns false when it is too late to cancel.
  Task<bool> undo_steps() {
    const auto records = session_.steps();
    for (auto record : records | std::views::reverse) {
      const auto* step = find(record.name);
      if (!step)
        co_return fail(
            Code::kUnsupported,
            fmt::format(
                "step {} is unknown to this version of pegmove; use the version that began the run",
                record.name));
      if (record.state == StepState::kUndone) {
        if (!record.outcome.empty()) undone_.push_back({.says = record.outcome});
        continue;
      }
      if (!step->undo) continue;
      record.state = StepState::kUndoing;
      CO_TRY(co_await session_.save_step(record));
      pass(*step, "undoing");
      auto undone =
          CO_TRY(in_context(co_await step->undo(context(), record), "undoing step " + record.name));
      pass(*step, "undo-acted");
      if (undone.end == UndoEnd::kTooLate) {
        events_.warn_of(undone.says);
        record.state = StepState::kDone;
        CO_TRY(co_await session_.save_step(record));
        co_return false;
      }
      record.state = StepState::kUndone;
      record.outcome = undone.says;
      CO_TRY(co_await session_.save_step(record));
      pass(*step, "undone");
      undone_.push_back(std::move(undone));
    }
    co_return true;
  }

  Task<Ending> cancelled() {
    CO_TRY(co_await session_.end_leases());
    CO_TRY(co_await session_.leave(RunState::kCancelled, "", result_of(undone_)));
    events_.pass("cancelled");
    co_return Ending{.state = RunState::kCancelled, .undone = undone_};
  }

  Task<Ending> end(const Result<void>& outcome) {
    Ending ending;
    if (outcome) {
      ending.report = work_.report(session_.run());
      if (!ending.report->not_done) {
        CO_TRY(co_await session_.finish(last_, ending.report->stored));
        events_.pass("ended");
        co_return ending;
      }
      // The last step found it, and is not done: a resumed run repeats it.
    } else if (session_.is_cancel_requested()) {
      co_return co_await backward();
    }
    const auto& error = outcome ? *ending.report->not_done : outcome.error();
    ending.has_given_back = work_.has_given_back();
    const bool is_stopped = error.code() == Code::kInterrupted;
    ending.state = !is_stopped                               ? RunState::kFailed
                   : session_.requested() == Request::kPause ? RunState::kPaused
                                                             : RunState::kInterrupted;
    if (ending.state != RunState::kPaused) ending.reason = error.to_string();
    CO_TRY(co_await session_.leave(ending.state, ending.reason));
    co_return ending;
  }

  RunSession& session_;
  Work& work_;
  const Events& events_;
  const std::vector<Step> steps_;
  std::optional<StepRecord> last_;  // of the step that was carried out last
  std::vector<Undone> undone_;
};

constexpr std::string_view name_of(StepKind kind) {
  switch (kind) {
    case StepKind::kRetriable: return "retriable";
    case StepKind::kCompensable: return "compensable";
    case StepKind::kPivot: return "pivot";
  }
  return "unknown";
}

}  // namespace

Task<Ending> carry_out(RunSession& session, Work& work, const Events& events, bool is_open) {
  Engine engine(session, work, events);
  CO_TRY(engine.take_journaled());
  if (session.is_cancel_requested()) co_return co_await engine.backward();
  co_return co_await engine.forward(is_open);
}

Task<Ending> undo(RunSession& session, Work& work, const Events& events) {
  Engine engine(session, work, events);
  CO_TRY(engine.take_journaled());
  co_return co_await engine.backward();
}

Task<Ending> abandon(RunSession& session, Work& work) {
  const Events none;
  Engine engine(session, work, none);
  co_return co_await engine.abandoned();
}

std::string procedure_text(const std::vector<Step>& steps) {
  std::string text;
  int number = 0;
  for (const auto& step : steps) {
    text += fmt::format("{}. {}", ++number, step.does);
    if (step.is_remote) text += " (done by the cluster's servers)";
    text += "\n";
  }
  return text;
}

std::string procedure_json(const std::vector<Step>& steps) {
  Json out = Json::array();
  for (const auto& step : steps)
    out.push_back({{"step", step.name},
                   {"does", step.does},
                   {"kind", name_of(step.kind)},
                   {"remote", step.is_remote}});
  return base::json_text(out, 2);
}

void append(std::vector<Step>& steps, std::vector<Step> more) {
  std::ranges::move(more, std::back_inserter(steps));
}

}  // namespace pegmove::runs
