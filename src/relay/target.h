// The port to the table that a relay forwards to. Behind it: relay/cluster_target.h, and for tests
// a fake.
#pragma once

#include <functional>
#include <span>

#include "async/clock.h"
#include "shipping/entries.h"

namespace pegmove::relay {

// How long one attempt to send entries may take, and its bytes may be under way: the client of a
// target has it as ClientOptions::longest_unacknowledged.
inline constexpr async::milliseconds kLongestForward{10'000};
// A relay that takes a source partition over from another one waits this long before it sends
// anything. An attempt's last byte may be written at its end, and be under way for as long again.
inline constexpr async::milliseconds kSuccessorsWait = 2 * kLongestForward;

// Entries of one partition of the target, which has `partition_count` of them.
struct Group {
  int32_t index = 0;
  int32_t partition_count = 0;
  std::span<const shipping::ShippedEntry> entries{};
  std::optional<wire::DuplicateSource> source{};
};

// What became of a group.
struct Sent {
  size_t done = 0;               // of the first entries: the target has carried them out
  std::optional<Error> error{};  // why not all
  // It is not known whether the target carries the entries behind them out, now or later.
  bool is_in_doubt = false;
};

// Asked right before bytes leave: until when they may be under way. An error: they may not leave.
using MaySend = std::function<Result<Deadline>()>;

// All on one executor.
class Target {
 public:
  virtual ~Target() = default;

  // Errors: the cluster does not say.
  virtual Task<int32_t> partition_count() = 0;
  // Sends the entries in their order, each request once; the first failure ends it. Ends within the
  // deadlines that `may_send` gives, and soon after it has returned an error. Errors in the result:
  // kRefused, the table has another partition count now: nothing was sent; others: try again.
  virtual Routine<Sent> send(Group group, MaySend may_send) = 0;
};

}  // namespace pegmove::relay
