#include "relay/lane.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "async/for_each.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;
using shipping::ShippedEntry;
using wire::ErrorCode;

constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{1'000};
// What a server had read from a broken connection is carried out within it.
constexpr milliseconds kRestAfterDoubt{1'000};
// A source repeats what was put off each second.
constexpr milliseconds kAskedWithin{10'000};
constexpr size_t kTargetsAtOnce = 16;

ErrorCode answer_to(const Error& error) {
  return error.code() == Code::kRefused ? ErrorCode::kInvalidState : ErrorCode::kBusy;
}

}  // namespace

Lane::Lane(const Forwarding& forwarding, MayForward may_forward, Logger log)
    : forwarding_(forwarding),
      may_forward_(std::move(may_forward)),
      log_(std::move(log)),
      tasks_(forwarding.executor) {}

void Lane::take(std::unique_ptr<ShippedRequest> request, Answer answer) {
  forwarding_.metrics.requests.add();
  heard_ = forwarding_.clock.now();
  const auto epoch = may_forward_();
  if (!epoch) return reply(answer, answer_to(epoch.error()));
  if (tasks_.stopped()) return reply(answer, ErrorCode::kBusy);
  if (!done_unheard_.empty() && done_unheard_epoch_ == *epoch && done_unheard_ == request->body()) {
    done_unheard_.clear();
    return reply(answer, ErrorCode::kOk);
  }
  if (forward_ && forward_->is_whole && forward_->epoch == *epoch &&
      forward_->request->body() == request->body()) {
    this->answer(ErrorCode::kBusy);
    return hear(std::move(answer));
  }
  if (forwarding_.is_sealed()) return reply(answer, ErrorCode::kBusy);
  if (forward_ && (forward_->is_under_way || !forward_->doubted.empty()))
    return reply(answer, ErrorCode::kBusy);
  this->answer(ErrorCode::kBusy);
  begin(std::move(request), *epoch, std::move(answer));
}

void Lane::begin(std::unique_ptr<ShippedRequest> request, int64_t epoch, Answer answer) {
  forwarding_.metrics.superseded_rows.add(int64_t(request->superseded_rows()));
  done_unheard_.clear();
  forward_ = std::make_unique<Forward>();
  forward_->left = request->entries();
  forward_->request = std::move(request);
  forward_->epoch = epoch;
  forward_->since = forwarding_.clock.now();
  hear(std::move(answer));
  if (!std::exchange(is_running_, true)) tasks_.spawn(run());
}

// The source waits for the present request.
void Lane::hear(Answer answer) {
  forward_->answer = std::move(answer);
  forward_->answer_by = forwarding_.clock.now() + forwarding_.answer_time;
  if (!std::exchange(keeps_time_, true)) tasks_.spawn(answer_in_time());
}

// However long an attempt lasts. One for all requests that follow each other.
Routine<> Lane::answer_in_time() {
  while (forward_ && forward_->answer && !tasks_.stopped()) {
    if (forwarding_.clock.now() >= forward_->answer_by)
      answer(ErrorCode::kBusy);
    else
      co_await forwarding_.clock.sleep_until(forward_->answer_by);  // no result
  }
  keeps_time_ = false;
}

void Lane::end() {
  tasks_.stop();
  answer(ErrorCode::kBusy);
}

Routine<> Lane::join() {
  co_await tasks_.join();  // no result
}

LaneStatus Lane::status() const {
  LaneStatus out{.is_in_flight = is_in_flight(), .done = done_, .waits_for = waits_for_};
  if (!forward_) return out;
  out.entries_left = forward_->left.size();
  out.keys_in_doubt = forward_->doubted.size();
  return out;
}

Routine<> Lane::run() {
  for (bool is_repeated = false; forward_ && !tasks_.stopped(); is_repeated = true) {
    auto done = co_await attempt(is_repeated);
    if (done) {
      finish(forward_->is_whole ? ErrorCode::kOk : ErrorCode::kBusy);
      continue;
    }
    if (give_up(done.error())) continue;
    auto pause = async::back_off(forward_->failures++, kFirstPause, kLongestPause);
    if (!forward_->doubted.empty()) pause = std::max(pause, kRestAfterDoubt);
    // A sleep that begins after the stop would not be ended by it.
    if (!tasks_.stopped()) co_await forwarding_.clock.sleep_for(pause);  // no result
  }
  is_running_ = false;
}

// What it has not asked for may be what nobody wants any more. Under a seal doubts are resolved.
bool Lane::is_wanted() const {
  return forwarding_.is_sealed() || forwarding_.clock.now() < heard_ + kAskedWithin;
}

// True: the request is over here.
bool Lane::give_up(const Error& error) {
  const bool is_wanted = this->is_wanted();
  forwarding_.metrics.failed_attempts.add(is_wanted);
  const auto epoch = may_forward_();
  // Another relay may have forwarded later writes since: what is left here is the source's to send.
  if ((!epoch && epoch.error().code() == Code::kRefused) || (epoch && *epoch != forward_->epoch)) {
    finish(ErrorCode::kInvalidState);
    return true;
  }
  if ((forwarding_.is_sealed() || !is_wanted) && forward_->doubted.empty()) {
    finish(ErrorCode::kBusy);
    return true;
  }
  // In doubt is all that is left of a group, or nothing: no entry is sent before one that precedes
  // it in the same partition of the target, which an embedded one would skip later.
  if (!is_wanted) {
    forward_->is_whole = false;
    std::erase_if(forward_->left,
                  [this](const auto& entry) { return !forward_->doubted.contains(entry.hash); });
  }
  note(error.to_string());
  return false;
}

Result<Deadline> Lane::may_send() const {
  if (tasks_.stopped()) return fail(Code::kInterrupted, "the relay ends");
  if (!is_wanted())
    return fail(Code::kBusy,
                "the source asks for nothing: what is in doubt is sent again when it asks, or "
                "when the relays are sealed");
  const auto epoch = TRY(may_forward_());
  if (epoch != forward_->epoch)
    return fail(Code::kRefused, "another relay owned the partition meanwhile");
  return Deadline::in(forwarding_.clock, kLongestForward);
}

// All groups once.
Task<> Lane::attempt(bool is_repeated) {
  CO_TRY(may_send());
  if (is_repeated) CO_TRY(co_await forwarding_.confirm());
  forward_->is_under_way = true;
  const auto count = co_await forwarding_.target.partition_count();
  if (!count) {
    forward_->is_under_way = false;
    co_return fail(count.error());
  }
  // An embedded source's entries stay in its order: an embedded target skips what is behind. It is
  // never split.
  const bool may_part = !forward_->request->source();
  const auto groups = shipping::by_target(forward_->left, may_part ? 2 * *count : *count);
  std::vector<Group> list;
  for (const auto& [index, entries] : groups)
    list.push_back({index % *count, *count, entries, forward_->request->source()});
  std::vector<Sent> results(list.size());
  auto all = co_await async::for_each(list.size(), kTargetsAtOnce,
                                      [&](size_t i) { return send(list[i], &results[i]); });
  forward_->is_under_way = false;
  CO_TRY(std::move(all));
  note_sent(groups, results);
  for (auto& result : results)
    if (result.error) co_return fail(*std::move(result.error));
  co_return Result<void>();
}

// Never fails: one group does not keep another one from being sent.
Task<> Lane::send(Group group, Sent* sent) {
  *sent = co_await forwarding_.target.send(group, [this] { return may_send(); });
  co_return Result<void>();
}

void Lane::note_sent(const std::map<int32_t, std::vector<ShippedEntry>>& groups,
                     const std::vector<Sent>& results) {
  std::vector<ShippedEntry> left;
  std::set<uint64_t> doubted;
  auto result = results.begin();
  for (const auto& [index, entries] : groups) {
    forwarding_.metrics.entries.add(int64_t(result->done));
    forwarding_.metrics.doubts.add(result->is_in_doubt);
    for (auto i = result->done; i < entries.size(); ++i) {
      left.push_back(entries[i]);
      if (result->is_in_doubt || forward_->doubted.contains(entries[i].hash))
        doubted.insert(entries[i].hash);
    }
    ++result;
  }
  forward_->left = std::move(left);
  forward_->doubted = std::move(doubted);
}

void Lane::answer(ErrorCode code) {
  if (!forward_ || !forward_->answer) return;
  auto to = std::exchange(forward_->answer, {});
  reply(to, code);
}

void Lane::finish(ErrorCode code) {
  const auto now = forwarding_.clock.now();
  auto over = std::exchange(forward_, nullptr);
  note("");
  if (code == ErrorCode::kOk) {
    ++done_;
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(now - over->since);
    forwarding_.metrics.forward_time_us.record(took.count());
    if (!over->answer) {
      done_unheard_ = over->request->body();
      done_unheard_epoch_ = over->epoch;
    }
  }
  if (over->answer) reply(over->answer, code);
}

void Lane::reply(Answer& to, ErrorCode code) {
  auto& metrics = forwarding_.metrics;
  (code == ErrorCode::kOk             ? metrics.answered_ok
   : code == ErrorCode::kInvalidState ? metrics.answered_state
                                      : metrics.answered_busy)
      .add();
  to(code);
}

// Logs what is new: an error is repeated each second.
void Lane::note(std::string waits_for) {
  if (waits_for_ == waits_for) return;
  waits_for_ = std::move(waits_for);
  if (!waits_for_.empty()) log_.warning("forwarding waits: " + waits_for_);
}

}  // namespace pegmove::relay
