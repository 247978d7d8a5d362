#include "relay/cluster_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "data_types.h"
#include "wire/row_messages.h"
#include "wire/thrift_codec.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;
using shipping::TargetPartition;
using wire::ErrorCode;
using wire::RpcCode;

// A clock is looked at again after this time, in case it was set.
constexpr std::chrono::microseconds kLongestClockWait{1'000'000};
// What a server that runs again has read of other connections is carried out within it.
constexpr milliseconds kRestAfterLoss{1'000};
// A split of the table takes longer.
constexpr milliseconds kRefreshPeriod{5'000};

// Answers that do not show whether a request is carried out.
bool may_be_done(ErrorCode error) {
  return error == ErrorCode::kTimeout || error == ErrorCode::kNetworkFailure;
}

// The storage's status in the reply to a write, and its hint.
Result<std::pair<int32_t, std::string>> status_of(RpcCode code, std::string_view body) {
  if (code == RpcCode::kDuplicate) {
    auto response = TRY(wire::decode_body<wire::duplicate_response>(body));
    return std::pair(response.error, std::move(response.error_hint));
  }
  if (code == RpcCode::kMultiRemove)
    return std::pair(TRY(wire::decode_body<wire::multi_remove_response>(body)).error,
                     std::string());
  return std::pair(TRY(wire::decode_update_reply(body)).error, std::string());
}

Sent not_sent(Error error) { return {.error = std::move(error)}; }

}  // namespace

ClusterTarget::ClusterTarget(asio::any_io_executor executor, client::Client& client,
                             ClusterTargetOptions options, Logger log)
    : client_(client),
      options_(std::move(options)),
      log_(std::move(log)),
      table_(client, options_.cluster, options_.metas, options_.table),
      servers_(client, options_.metas, options_.check_server),
      clocks_(client, log_),
      tasks_(std::move(executor)) {}

void ClusterTarget::start() {
  tasks_.spawn(clocks_.watch(tasks_));
  tasks_.spawn(watch());
}

// What is known counts until the cluster answers.
Routine<> ClusterTarget::watch() {
  auto& clock = client_.clock();
  for (;;) {
    const auto next = clock.now() + kRefreshPeriod;
    while (clock.now() < next && !tasks_.stopped()) co_await clock.sleep_until(next);  // no result
    if (tasks_.stopped()) co_return;
    if (auto asked = co_await table_.refresh(); !asked) continue;
    if (options_.method == WriteMethod::kPlain) continue;
    if (auto asked = co_await servers_.refresh(); !asked) continue;
  }
}

Routine<Sent> ClusterTarget::send(Group group, MaySend may_send) {
  Sent all;
  auto most_bytes = options_.most_request_bytes;  // less after a refusal, for these entries only
  while (!group.entries.empty()) {
    auto batch = group;
    batch.entries = group.entries.first(shipping::entries_that_fit(group.entries, most_bytes));
    auto sent = co_await send_batch(batch, may_send);
    all.done += sent.done;
    group.entries = group.entries.subspan(sent.done);
    if (sent.error && sent.error->code() == Code::kTooLarge && batch.entries.size() > 1 &&
        options_.method == WriteMethod::kDuplicate) {
      most_bytes = shipping::duplicate_body_bytes(batch.entries) / 2;
      continue;
    }
    if (sent.error) {
      all.error = std::move(sent.error);
      all.is_in_doubt = sent.is_in_doubt;
      break;
    }
  }
  co_return all;
}

Routine<Sent> ClusterTarget::send_batch(Group batch, const MaySend& may_send) {
  auto partition = co_await table_.partition(batch.index, batch.partition_count);
  if (!partition) co_return not_sent(std::move(partition).error());
  if (partition->gpid.app_id != options_.app_id)
    co_return not_sent(Error(
        Code::kRefused,
        fmt::format("table '{}' on cluster {} was dropped and created again (app id {}, was "
                    "{}), without the rows from before: recall the old one, or remove the "
                    "duplication and begin again",
                    options_.table, options_.cluster, partition->gpid.app_id, options_.app_id)));
  if (options_.method == WriteMethod::kPlain)
    co_return co_await write_each(*std::move(partition), batch, may_send);
  co_return co_await duplicate(*std::move(partition), batch, may_send);
}

Routine<Sent> ClusterTarget::duplicate(TargetPartition partition, Group batch,
                                       const MaySend& may_send) {
  int64_t latest = 0;
  for (const auto& entry : batch.entries) latest = std::max(latest, entry.view.timestamp_us);
  if (auto waited = co_await wait_for_servers(partition, latest, may_send); !waited)
    co_return not_sent(std::move(waited).error());
  const auto body = shipping::duplicate_body(batch.entries, batch.source);
  // The hash of the last entry, as from real sources.
  auto sent =
      co_await call(partition, RpcCode::kDuplicate, batch.entries.back().hash, body, may_send);
  if (!sent.error) sent.done = batch.entries.size();
  co_return sent;
}

Routine<Sent> ClusterTarget::write_each(TargetPartition partition, Group batch,
                                        const MaySend& may_send) {
  size_t done = 0;
  for (const auto& entry : batch.entries) {
    auto sent = co_await call(partition, wire::rpc_code_from_name(entry.view.task_code), entry.hash,
                              entry.view.raw_message, may_send);
    if (sent.error) {
      sent.done = done;
      co_return sent;
    }
    ++done;
  }
  co_return Sent{.done = done};
}

// Until all servers that may carry out writes of the partition have clocks past the time, but for a
// second at most: then the source is told to repeat the request, and people why.
Task<> ClusterTarget::wait_for_servers(const TargetPartition& partition, int64_t unix_us,
                                       const MaySend& may_send) {
  for (bool has_waited = false;;) {
    CO_TRY(may_send());
    const auto longest = CO_TRY(co_await longest_wait(partition, unix_us));
    if (longest.count() == 0) co_return Result<void>();
    if (has_waited)
      co_return fail(Code::kBusy,
                     fmt::format("{}: the clock of a server is {} ms behind the time of the write",
                                 table_.place(partition.index), longest.count() / 1000));
    const auto rest = std::min(longest, kLongestClockWait);
    has_waited = rest == kLongestClockWait;
    co_await client_.clock().sleep_until(client_.clock().now() + rest);  // no result
  }
}

// How long until the last server's clock has passed the time; all were checked then.
Task<std::chrono::microseconds> ClusterTarget::longest_wait(const TargetPartition& partition,
                                                            int64_t unix_us) {
  std::chrono::microseconds longest{0};
  for (const auto& server : CO_TRY(co_await servers_.all(partition.replicas))) {
    CO_TRY(co_await servers_.check(server));
    auto left = co_await clocks_.left(server, unix_us);
    if (!left) table_.doubt(partition.index);
    longest = std::max(longest, CO_TRY(std::move(left)));
  }
  co_return longest;
}

Routine<Sent> ClusterTarget::call(const TargetPartition& partition, RpcCode code, uint64_t hash,
                                  std::string_view body, const MaySend& may_send) {
  auto deadline = may_send();
  if (!deadline) co_return not_sent(std::move(deadline).error());
  bool was_sent = false;
  const auto reply = co_await client_.channel(partition.address)
                         .call({.code = code,
                                .gpid = partition.gpid,
                                .partition_hash = hash,
                                .body = body,
                                .deadline = *deadline,
                                .sent = &was_sent});
  if (reply)
    co_await rest_after_loss(partition.address);  // no result
  else if (was_sent)
    lost_[partition.address] = ++last_lost_;
  co_return judge(partition, code, reply, was_sent);
}

Routine<> ClusterTarget::rest_after_loss(net::Address server) {
  const auto lost = lost_.find(server);
  if (lost == lost_.end()) co_return;
  const auto number = lost->second;
  co_await client_.clock().sleep_for(kRestAfterLoss);  // no result
  if (const auto now = lost_.find(server); now != lost_.end() && now->second == number)
    lost_.erase(now);
}

// Errors that show that the partition may have moved make the next attempt ask where it is.
Sent ClusterTarget::judge(const TargetPartition& partition, RpcCode code,
                          const Result<net::IncomingReply>& reply, bool was_sent) {
  const auto index = partition.index;
  const auto where = fmt::format("{} at {}", table_.place(index), partition.primary.to_string());
  if (!reply) {
    table_.doubt(index);
    clocks_.doubt(partition.primary);
    servers_.doubt(partition.primary);
    if (!was_sent) client_.host_names().failed(partition.primary, partition.address);
    return {.error = Error(
                reply.error().code() == Code::kTooLarge ? Code::kProtocol : reply.error().code(),
                fmt::format("{}: {}", where, reply.error().message())),
            .is_in_doubt = was_sent};
  }
  if (reply->error == ErrorCode::kInvalidData)
    return not_sent(Error(Code::kTooLarge,
                          fmt::format("{} refuses a write as too large (ERR_INVALID_DATA): raise "
                                      "max_allowed_write_size of its replica servers",
                                      where)));
  if (reply->error != ErrorCode::kOk) {
    if (reply->error != ErrorCode::kBusy) table_.doubt(index);
    return {
        .error = Error(Code::kBusy, fmt::format("{}: {}", where, wire::error_name(reply->error))),
        .is_in_doubt = may_be_done(reply->error)};
  }
  const auto status = status_of(code, reply->body.view);
  if (!status)
    return not_sent(Error(Code::kBusy, fmt::format("{}: {}", where, status.error().to_string())));
  const auto& [number, hint] = *status;
  if (number == 0) return {};
  return not_sent(Error(
      Code::kBusy,
      fmt::format("{}: storage error {} ({}){}{}", where, number, wire::storage_status_name(number),
                  hint.empty() ? "" : ": ", base::printable(hint, 256))));
}

}  // namespace pegmove::relay
