// One source partition of a relay: forwards its requests in order, one under way at a time.
//
// The source sends one request after the other for each partition, and repeats it until it is
// answered ERR_OK. A request is answered ERR_OK when the target has carried all of it out. While it
// cannot be, it is repeated here, and the source is answered ERR_BUSY after some seconds: it sends
// the same bytes again, which join what is under way.
//
//   take() -> split by the target's partitions -> the groups at once, each in order -> ERR_OK
//                       ^--- those that are left, after a pause ---'
//
// After an attempt of unknown outcome (no answer, or the connection broke) a later write of the
// same hash key could be overtaken by it. So nothing else of this source partition is sent until
// the entries in doubt were sent again and carried out, whatever else comes: also when the source
// is answered, or sends other bytes. Pegasus: a partition's requests of one connection are carried
// out in order; after a broken one the next attempt waits (kRestAfterDoubt).
//
// What the source has not asked for in the last seconds (kAskedWithin) is not sent any more: its
// duplication may be removed, and the target open to clients. What is in doubt stays until the
// source asks for something, or the relays are sealed; the rest is let go.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "async/task_group.h"
#include "base/log.h"
#include "relay/relay_metrics.h"
#include "relay/shipped_request.h"
#include "relay/target.h"
#include "wire/error_code.h"

namespace pegmove::relay {

// Whether this relay may forward writes of the partition, and under which epoch. Errors:
// Ownership::may_forward().
using MayForward = std::function<Result<int64_t>()>;

// What all lanes of a relay share; it outlives them.
struct Forwarding {
  asio::any_io_executor executor;
  Clock& clock;
  Target& target;
  RelayMetrics& metrics;
  std::function<bool()> is_sealed;
  // Asks ZooKeeper whether the session exists; before each attempt but the first: a machine that
  // was stopped in between does not know how long that was. Errors: it may not; nothing is sent.
  std::function<Task<>()> confirm;
  // The source hears of ERR_BUSY after this time; real ones wait for 100 s.
  async::milliseconds answer_time{5'000};
};

struct LaneStatus {
  bool is_in_flight = false;
  size_t entries_left = 0;
  size_t keys_in_doubt = 0;
  int64_t done = 0;         // requests
  std::string waits_for{};  // empty: nothing
};

// All on one executor. Order: ...; end(); co_await join(); destroy.
class Lane {
 public:
  using Answer = std::move_only_function<void(wire::ErrorCode)>;

  Lane(const Forwarding& forwarding, MayForward may_forward, Logger log);

  // Answers once, within Forwarding::answer_time: ERR_OK when the target has all of the request;
  // ERR_BUSY and ERR_INVALID_STATE otherwise, on which a source sends it again.
  void take(std::unique_ptr<ShippedRequest> request, Answer answer);
  // Answers what is open with ERR_BUSY, takes nothing more, and begins no further attempt.
  void end();
  // Returns when the attempt under way has ended, at most kLongestForward later.
  Routine<> join();

  bool is_in_flight() const { return forward_ != nullptr; }
  LaneStatus status() const;

 private:
  // The request that is being forwarded.
  struct Forward {
    std::unique_ptr<ShippedRequest> request;
    int64_t epoch = 0;
    std::vector<shipping::ShippedEntry> left;
    std::set<uint64_t> doubted{};  // hashes of keys
    Answer answer{};               // empty: the source was answered ERR_BUSY
    async::Instant since{};
    async::Instant answer_by{};
    int failures = 0;
    bool is_under_way = false;  // an attempt
    bool is_whole = true;       // false: only what was in doubt is left of it
  };
  void begin(std::unique_ptr<ShippedRequest> request, int64_t epoch, Answer answer);
  void hear(Answer answer);
  Routine<> answer_in_time();
  Routine<> run();
  Task<> attempt(bool is_repeated);
  Task<> send(Group group, Sent* sent);
  void note_sent(const std::map<int32_t, std::vector<shipping::ShippedEntry>>& groups,
                 const std::vector<Sent>& results);
  bool give_up(const Error& error);
  bool is_wanted() const;
  Result<Deadline> may_send() const;
  void answer(wire::ErrorCode code);
  void finish(wire::ErrorCode code);
  void reply(Answer& to, wire::ErrorCode code);
  void note(std::string waits_for);

  const Forwarding& forwarding_;
  const MayForward may_forward_;
  Logger log_;
  std::unique_ptr<Forward> forward_;
  bool is_running_ = false;
  bool keeps_time_ = false;  // answer_in_time() runs
  async::Instant heard_{};   // when the source asked last
  // The last request that was done after its source was answered ERR_BUSY: it comes again.
  std::string done_unheard_;
  int64_t done_unheard_epoch_ = 0;
  int64_t done_ = 0;
  std::string waits_for_;
  async::TaskGroup tasks_;
};

}  // namespace pegmove::relay
