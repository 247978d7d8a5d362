#include "client/partition_router.h"

#include <fmt/format.h>

#include <algorithm>

#include "record/hash.h"

namespace pegmove::client {
namespace {

using async::milliseconds;
using wire::ErrorCode;

constexpr milliseconds kFirstPause{8};
constexpr milliseconds kLongestPause{1000};
// Time limit of optional questions: to a meta server while a primary is known, to a name server
// while an address is known.
constexpr milliseconds kMoment{2000};
// A table is never larger than this; a larger claim is not an answer of Pegasus.
constexpr int32_t kMostPartitions = 1 << 16;

// Whether the caller handles a reply that is too large: a scan can request fewer rows. Other calls
// in progress on the same connection are sent again.
bool can_ask_for_less(wire::RpcCode code) {
  return code == wire::RpcCode::kGetScanner || code == wire::RpcCode::kScan;
}

// Answers that do not show whether the request was carried out.
bool may_be_done(ErrorCode error) {
  return error == ErrorCode::kTimeout || error == ErrorCode::kNetworkFailure;
}

std::set<std::string> servers_of(const TableConfig& config) {
  std::set<std::string> servers;
  for (const auto& partition : config.partitions) {
    if (partition.primary.port != 0) servers.insert(partition.primary.to_string());
    for (const auto& secondary : partition.secondaries) servers.insert(secondary.to_string());
  }
  return servers;
}

bool have_none_in_common(const std::set<std::string>& one, const std::set<std::string>& other) {
  return std::ranges::none_of(one, [&](const auto& server) { return other.contains(server); });
}

bool is_busy(ErrorCode error) {
  return error == ErrorCode::kBusy || error == ErrorCode::kSplitting;
}

Error unknown_outcome(Error error) {
  return std::move(error).with_context(
      "it is not known whether the operation was carried out; read the row before you repeat it");
}

// Errors after which the meta servers are asked again where the partition is.
bool may_move(ErrorCode error) {
  switch (error) {
    case ErrorCode::kObjectNotFound:
    case ErrorCode::kInvalidState:
    case ErrorCode::kInactiveState:
    case ErrorCode::kParentPartitionMisused:
    case ErrorCode::kTimeout:
    case ErrorCode::kNetworkFailure: return true;
    default: return false;
  }
}

}  // namespace

// Registers a call that has failed and waits for another attempt.
class PartitionRouter::Waiting {
 public:
  explicit Waiting(Waits& waits) : waits_(waits) {}
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    if (counted_) --waits_.calls;
  }
  void because(std::string reason) {
    if (!std::exchange(counted_, true)) ++waits_.calls;
    waits_.reason = std::move(reason);
  }

 private:
  Waits& waits_;
  bool counted_ = false;
};

bool PartitionRouter::is_retryable(ErrorCode error) {
  switch (error) {
    case ErrorCode::kNotEnoughMember:
    case ErrorCode::kCapacityExceeded:
    case ErrorCode::kBusy:
    case ErrorCode::kSplitting: return true;
    default: return may_move(error);
  }
}

Task<std::shared_ptr<PartitionRouter>> PartitionRouter::open(std::shared_ptr<Cluster> cluster,
                                                             std::string table, Deadline deadline) {
  auto router = std::make_shared<PartitionRouter>(std::move(cluster), std::move(table));
  CO_TRY(co_await router->refresh(deadline));
  co_return router;
}

Target PartitionRouter::target_of(uint64_t hash) const {
  return {record::partition_index(hash, partition_count()), hash, true};
}

// With a stop signal, meta servers that are down are asked only for a moment; a call that needs
// them asks again.
Deadline PartitionRouter::refresh_deadline(Deadline deadline) const {
  auto attempt = attempt_deadline(deadline);
  return stop_ ? attempt.earlier(Deadline::in(cluster_->client().clock(), kMoment)) : attempt;
}

std::string PartitionRouter::place(int32_t partition_index) const {
  return "partition " + std::to_string(partition_index) + " of table '" + table_ + "'";
}

// One refresh at a time; other callers wait for it.
Task<> PartitionRouter::refresh(Deadline deadline) {
  if (refreshing_) {
    while (refreshing_) co_await refreshed_.wait();  // no result
    co_return Result<void>();
  }
  refreshing_ = true;
  auto config = co_await cluster_->table_config(table_, {}, deadline);
  Result<void> taken;
  if (config)
    taken = co_await take_over(std::move(*config), deadline);
  else
    taken = fail(std::move(config).error());
  refreshing_ = false;
  refreshed_.notify_all();
  co_return taken;
}

// The addresses of the servers in the config, each looked up once. Newer servers send names; the
// address is used when the name is unknown here.
Routine<std::map<std::string, net::Address>> PartitionRouter::look_up(const TableConfig& config,
                                                                      Deadline deadline) {
  auto& client = cluster_->client();
  std::map<std::string, net::Address> addresses;
  for (const auto& partition : config.partitions) {
    auto [place, is_new] =
        addresses.try_emplace(partition.primary.to_string(), partition.primary_address);
    if (!is_new || partition.primary.port == 0) continue;
    auto wait = partition.primary_address.port == 0
                    ? deadline
                    : deadline.earlier(Deadline::in(client.clock(), kMoment));
    if (auto found = co_await client.host_names().resolve(partition.primary, wait))
      place->second = found->front();
  }
  co_return addresses;
}

// Whether the config is that of another cluster. Behind a MetaProxy that is another set of servers:
// app ids alone do not show it, since both clusters may have given the table the same one.
Result<bool> PartitionRouter::has_moved(const TableConfig& config,
                                        const std::set<std::string>& servers) const {
  if (app_id_ == 0) return false;
  const bool is_other_table = app_id_ != config.app_id;
  if (!cluster_->is_behind_proxy() || servers_.empty() || !have_none_in_common(servers, servers_)) {
    if (is_other_table)
      return fail(Code::kNotFound,
                  fmt::format("table '{}' was dropped and created again while in use", table_));
    return false;
  }
  if (servers.empty() && is_other_table)
    return fail(Code::kUnreachable,
                fmt::format("table '{}' has another id, and no server that shows on which cluster",
                            table_));
  return !servers.empty();
}

Task<> PartitionRouter::take_over(TableConfig config, Deadline deadline) {
  if (config.partition_count > kMostPartitions ||
      config.partition_count != int32_t(config.partitions.size()))
    co_return fail(
        Code::kProtocol,
        fmt::format("table '{}': the listed partitions do not match their count", table_));
  auto servers = servers_of(config);
  const bool moved = CO_TRY(has_moved(config, servers));
  const auto addresses = co_await look_up(config, deadline);
  std::vector<Primary> primaries(config.partitions.size());
  bool is_being_split = false;
  for (size_t i = 0; i < primaries.size(); ++i) {
    // A child that is not split off yet is served by its parent.
    const bool is_child = config.partitions[i].ballot < 0 && i >= primaries.size() / 2;
    const auto& partition = config.partitions[is_child ? i - primaries.size() / 2 : i];
    primaries[i] = {partition.primary, addresses.at(partition.primary.to_string())};
    is_being_split |= is_child;
  }
  is_being_split_ = is_being_split;
  app_id_ = config.app_id;
  primaries_ = std::move(primaries);
  if (!servers.empty()) servers_ = std::move(servers);
  moves_ += moved;
  co_return Result<void>();
}

Result<void> PartitionRouter::check_not_split(int32_t count) const {
  const auto now = partition_count();
  if (is_being_split_)
    return fail(
        Code::kRefused,
        fmt::format("table '{}' is being split from {} to {} partitions, and until that has "
                    "ended a partition may hold rows of another: start again when "
                    "`query_split` in Pegasus's shell shows no split",
                    table_, now / 2, now));
  if (now == count) return {};
  if (moves_ > 0)
    return fail(
        Code::kRefused,
        fmt::format("table '{}' has moved to another cluster with {} instead of {} partitions "
                    "while it was in use: start again",
                    table_, now, count));
  return fail(
      Code::kRefused,
      fmt::format("table '{}' was split from {} to {} partitions while it was read, and rows "
                  "may be missing: start again (cancel a run, and start another)",
                  table_, count, now));
}

Task<> PartitionRouter::check_still_whole(int32_t count, Deadline deadline) {
  while (refreshing_) co_await refreshed_.wait();  // no result; it may have begun too early
  CO_TRY(co_await refresh(deadline));
  co_return check_not_split(count);
}

net::RpcChannel* PartitionRouter::channel_of(int32_t partition_index) {
  const auto address = primaries_[size_t(partition_index)].address;
  return address.port == 0 ? nullptr : &cluster_->client().channel(address);
}

net::RpcChannel* PartitionRouter::primary_channel(int32_t partition_index) {
  if (partition_index >= partition_count()) return nullptr;  // after a move
  return primaries_[size_t(partition_index)].is_doubted ? nullptr : channel_of(partition_index);
}

void PartitionRouter::doubt(int32_t partition_index, const net::RpcChannel& channel) {
  if (partition_index >= partition_count()) return;  // after a refresh
  auto& primary = primaries_[size_t(partition_index)];
  cluster_->client().host_names().failed(primary.name, channel.address());
  if (primary.address == channel.address()) primary.is_doubted = true;
}

// Asks the cluster again if that may help. Errors: those of refresh() that end the call.
Task<> PartitionRouter::look_again(int32_t partition_index, bool is_first, Deadline deadline) {
  if (is_first && !primaries_[size_t(partition_index)].is_doubted) co_return Result<void>();
  if (is_first) deadline = deadline.earlier(Deadline::in(cluster_->client().clock(), kMoment));
  auto refreshed = co_await refresh(refresh_deadline(deadline));
  if (partition_index < partition_count()) primaries_[size_t(partition_index)].is_doubted = false;
  if (!refreshed && refreshed.error().code() != Code::kUnreachable &&
      refreshed.error().code() != Code::kTimeout)
    co_return refreshed;
  co_return Result<void>();
}

Result<Target> PartitionRouter::target_now(Target target, wire::RpcCode code, int moves_before,
                                           int32_t count_before) const {
  if (target.is_of_key && moves_ > 0)
    target.partition_index = record::partition_index(target.partition_hash, partition_count());
  if (moves_ == moves_before) return target;
  if (!target.is_of_key) TRY(check_not_split(count_before));
  if (code == wire::RpcCode::kScan)
    return fail(Code::kRefused,
                fmt::format("table '{}' has moved to another cluster, which does not know the scan",
                            table_));
  return target;
}

Task<net::IncomingReply> PartitionRouter::call(Target target, wire::RpcCode code, std::string body,
                                               Deadline deadline, Repeat repeat) {
  auto& clock = cluster_->client().clock();
  Waiting waiting(waits_);
  const auto where = place(target.partition_index);
  Error last(Code::kTimeout, where + " has no primary");
  bool may_have_moved = true;
  const auto moves = moves_;
  const auto count = partition_count();
  for (int attempt = 0;; ++attempt) {
    target = CO_TRY(target_now(target, code, moves, count));
    if (target.partition_index < partition_count() && may_have_moved)
      CO_TRY(co_await look_again(target.partition_index, attempt == 0, deadline));
    target = CO_TRY(target_now(target, code, moves, count));
    if (target.partition_index >= partition_count())
      co_return fail(Code::kRefused, place(target.partition_index) + " does not exist any more");
    may_have_moved = true;
    if (auto* channel = channel_of(target.partition_index)) {
      bool sent = false;
      auto reply = co_await channel->call({.code = code,
                                           .gpid = gpid(target.partition_index),
                                           .partition_hash = target.partition_hash,
                                           .body = body,
                                           .deadline = attempt_deadline(deadline),
                                           .sent = &sent});
      if (reply && reply->error == ErrorCode::kOk) co_return reply;
      if (reply) {
        last = wire::to_error(reply->error, where);
        may_have_moved = may_move(reply->error);
        if (may_have_moved) doubt(target.partition_index, *channel);
        busy_answers_ += is_busy(reply->error);
        if (repeat == Repeat::kForbidden && may_be_done(reply->error))
          co_return fail(unknown_outcome(std::move(last)));
        if (!is_retryable(reply->error) || (on_busy_ == OnBusy::kFail && is_busy(reply->error)))
          co_return fail(std::move(last));
      } else {
        last = std::move(reply).error();
        if (last.code() == Code::kInterrupted ||
            (last.code() == Code::kTooLarge && can_ask_for_less(code)))
          co_return fail(std::move(last));
        doubt(target.partition_index, *channel);
        if (repeat == Repeat::kForbidden && sent) co_return fail(unknown_outcome(std::move(last)));
      }
    }
    waiting.because(last.to_string().starts_with(where)
                        ? last.to_string()
                        : fmt::format("{}: {}", where, last.to_string()));
    if (stop_ && stop_->requested())
      co_return fail(Code::kInterrupted, "stopped on request while " + last.to_string());
    auto pause = async::back_off(attempt, kFirstPause, kLongestPause);
    if (deadline.left(clock) <= pause)
      co_return fail(Code::kTimeout,
                     fmt::format("{} did not answer in time: {}", where, last.to_string()));
    co_await clock.sleep_for(pause);  // no result
  }
}

}  // namespace pegmove::client
