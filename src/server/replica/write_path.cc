#include "server/replica/write_path.h"

#include <fmt/format.h>

#include <condition_variable>

#include "base/units.h"
#include "data_types.h"
#include "record/expiry.h"
#include "record/key.h"
#include "record/value.h"
#include "server/replica/admission.h"
#include "server/replica/atomic_operations.h"
#include "wire/row_messages.h"
#include "wire/thrift_codec.h"

namespace pegmove::server::replica {
namespace {

using store::LoggedCode;
using wire::ErrorCode;
using wire::RpcCode;
using wire::StorageStatus;

constexpr int32_t kOk = int32_t(StorageStatus::kOk);
constexpr int32_t kInvalidArgument = int32_t(StorageStatus::kInvalidArgument);

// A mutation stays small enough that a full queue does not become one huge batch.
constexpr size_t kMostUpdates = 512;
constexpr size_t kMostBytes = 1 << 20;
constexpr size_t kMostMutationsAtOnce = 32;
constexpr size_t kBatchOverhead = 160;           // the batch's header, the decree, the timestamp
constexpr std::chrono::seconds kNotableStep{1};  // of the clock, back

bool may_share_mutation(RpcCode code) { return code == RpcCode::kPut || code == RpcCode::kRemove; }

// Whether what a write does depends on nothing that stands in the database.
bool is_blind(RpcCode code) {
  return may_share_mutation(code) || code == RpcCode::kMultiPut || code == RpcCode::kMultiRemove;
}

// Nothing: such a request is not logged as it is.
std::optional<LoggedCode> logged_code(RpcCode code) {
  switch (code) {
    case RpcCode::kPut: return LoggedCode::kPut;
    case RpcCode::kMultiPut: return LoggedCode::kMultiPut;
    case RpcCode::kRemove: return LoggedCode::kRemove;
    case RpcCode::kMultiRemove: return LoggedCode::kMultiRemove;
    default: return std::nullopt;
  }
}

// What of a mutation goes into the log: the requests of this cluster's clients that were not
// refused. What other clusters sent is not shipped on.
store::LoggedMutation to_log(const Mutation& mutation) {
  store::LoggedMutation logged{
      .decree = mutation.decree, .timestamp_us = mutation.timestamp_us, .writes = {}};
  for (const auto& update : mutation.updates) {
    for (const auto& outcome : update.outcomes)
      logged.writes.push_back({outcome.code, outcome.body});
    if (!update.outcomes.empty() || update.status != kOk) continue;
    if (const auto code = logged_code(update.code))
      logged.writes.push_back({*code, update.call.body()});
  }
  return logged;
}

bool is_raw_key(std::string_view key) { return record::split_key(key).has_value(); }

}  // namespace

WritePath::WritePath(store::PartitionDb& db, async::Pool& pool, Clock& clock, Logger log,
                     WriteOptions options)
    : db_(db),
      pool_(pool),
      clock_(clock),
      log_(std::move(log)),
      options_(std::move(options)),
      given_decree_(db.last_decree()),
      given_timestamp_us_(db.last_timestamp_us()) {
  const auto ahead = std::chrono::microseconds(given_timestamp_us_ - clock_.unix_us());
  if (ahead > kNotableStep)
    log_.warning(fmt::format(
        "the last write is {} ahead of the clock; timestamps of writes continue from there",
        base::format_duration(std::chrono::duration_cast<async::milliseconds>(ahead))));
}

void WritePath::submit(RpcCode code, net::IncomingCall call) {
  const auto& head = call.head();
  if (options_.max_request_size > 0 &&
      head.message_size > most_request_size(head.name, options_.max_request_size))
    return call.reply(ErrorCode::kInvalidData);
  std::lock_guard lock(mutex_);
  if (closed_) return call.reply(ErrorCode::kInvalidState);
  if (suspended_) {
    ++refused_;
    return call.reply(ErrorCode::kOperationDisabled);
  }
  queue_.push_back({code, std::move(call)});
  if (std::exchange(working_, true)) return;
  pool_.post([this] { work_off_queue(); });
}

void WritePath::suspend() {
  std::unique_lock lock(mutex_);
  suspended_ = true;
  idle_.wait(lock, [this] { return !working_; });
}

void WritePath::resume() {
  std::lock_guard lock(mutex_);
  suspended_ = false;
}

void WritePath::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  idle_.wait(lock, [this] { return !working_; });
}

Result<int64_t> WritePath::keep_log() {
  const std::lock_guard writing(writing_);
  return db_.keep_log();
}

Result<void> WritePath::drop_log() {
  const std::lock_guard writing(writing_);
  return db_.drop_log();
}

Result<void> WritePath::recover() {
  const std::lock_guard writing(writing_);
  return db_.resume();
}

void WritePath::on_logged(std::function<void()> listener) {
  const std::lock_guard listening(listening_);
  on_logged_ = std::move(listener);
}

void WritePath::tell_logged() {
  const std::lock_guard listening(listening_);
  if (on_logged_) on_logged_();
}

// One worker at a time. While its mutations wait for their costs it holds no thread.
void WritePath::work_off_queue() {
  while (take_queue()) {
    auto mutations = next_mutations();
    if (!options_.costs) {
      apply(std::move(mutations));
      continue;
    }
    size_t requests = 0;
    for (const auto& mutation : mutations) requests += mutation.updates.size();
    const auto count = mutations.size();
    return options_.costs->serve(count, requests,
                                 [this, mutations = std::move(mutations)]() mutable {
                                   pool_.post([this, mutations = std::move(mutations)]() mutable {
                                     apply(std::move(mutations));
                                     work_off_queue();
                                   });
                                 });
  }
}

// False when there is nothing to do: the worker must end.
bool WritePath::take_queue() {
  if (!taken_.empty()) return true;
  std::lock_guard lock(mutex_);
  taken_.swap(queue_);
  if (!taken_.empty()) return true;
  working_ = false;
  idle_.notify_all();
  return false;
}

// The mutations at the head of the queue that are written together.
std::vector<Mutation> WritePath::next_mutations() {
  std::vector<Mutation> mutations;
  bool blind = is_blind(taken_.front().code);
  size_t bytes = 0;
  do {
    mutations.push_back(next_mutation());
    bytes += mutations.back().bytes;
  } while (blind && !taken_.empty() && is_blind(taken_.front().code) && bytes < kMostBytes &&
           mutations.size() < kMostMutationsAtOnce);
  return mutations;
}

// The writes at the head of the queue that go into one mutation.
Mutation WritePath::next_mutation() {
  given_timestamp_us_ = std::max(given_timestamp_us_ + 1, clock_.unix_us());
  Mutation mutation{.decree = ++given_decree_, .timestamp_us = given_timestamp_us_, .updates = {}};
  bool shared = may_share_mutation(taken_.front().code);
  do {
    auto& next = taken_.front();
    mutation.bytes += next.call.body().size();
    mutation.updates.push_back({next.code, std::move(next.call)});
    taken_.pop_front();
  } while (shared && !taken_.empty() && may_share_mutation(taken_.front().code) &&
           mutation.updates.size() < kMostUpdates && mutation.bytes < kMostBytes);
  return mutation;
}

// All of them or none.
void WritePath::apply(std::vector<Mutation> mutations) {
  bool is_logged = false;
  {
    const std::lock_guard writing(writing_);
    is_logged = db_.keeps_log();
    if (is_logged && refuse_atomic(mutations)) return;
    const auto written = write(mutations);
    if (!written) return reply_failed(mutations, written.error());
  }
  for (auto& mutation : mutations) reply(mutation);
  if (is_logged) tell_logged();
}

Result<void> WritePath::write(std::vector<Mutation>& mutations) {
  auto batch = make_batch(mutations);
  for (auto& mutation : mutations)
    for (auto& update : mutation.updates) add_to_batch(update, mutation, batch);
  if (batch.is_logged)
    for (const auto& mutation : mutations)
      if (auto logged = to_log(mutation); !logged.writes.empty())
        batch.logged.push_back(std::move(logged));
  const auto& last = mutations.back();
  auto written = db_.write(batch.writes, last.decree, last.timestamp_us, batch.logged);
  if (written) return {};
  TRY(db_.resume());
  return db_.write(batch.writes, last.decree, last.timestamp_us, batch.logged);
}

// An atomic operation that another cluster could not repeat with the same outcome. It is alone in
// its mutation, whose decree stays unused. Pegasus: replica::on_client_write in replica_2pc.cpp.
bool WritePath::refuse_atomic(std::vector<Mutation>& mutations) {
  auto& first = mutations.front().updates.front();
  if (is_atomic_idempotent_ || is_blind(first.code) || first.code == RpcCode::kDuplicate)
    return false;
  if (options_.refused_atomic) options_.refused_atomic->add(1);
  first.call.reply(ErrorCode::kOperationDisabled);
  return true;
}

WritePath::Batch WritePath::make_batch(const std::vector<Mutation>& mutations) const {
  // RocksDB adds to a row about what the wire does.
  size_t bytes = kBatchOverhead;
  for (const auto& mutation : mutations) bytes += mutation.bytes;
  const bool is_logged = db_.keeps_log();
  if (is_logged) bytes *= 2;
  return {
      .writes = db_.new_batch(bytes), .is_logged = is_logged, .default_expiry = default_expiry()};
}

void WritePath::add_to_batch(Update& update, const Mutation& mutation, Batch& batch) {
  auto body = update.call.body();
  switch (update.code) {
    case RpcCode::kPut: update.status = add_put(update, mutation.timestamp_us, batch); return;
    case RpcCode::kRemove: update.status = add_remove(body, batch); return;
    case RpcCode::kMultiPut:
      update.status = add_multi_put(update, mutation.timestamp_us, batch);
      return;
    case RpcCode::kMultiRemove:
      update.reply = add_multi_remove(update, mutation.decree, batch);
      return;
    case RpcCode::kDuplicate:
      update.reply = add_duplicate(body, mutation.timestamp_us, batch);
      return;
    default: update.reply = add_atomic(update, mutation, batch);
  }
}

uint32_t WritePath::default_expiry() const {
  return default_ttl_ > 0 ? record::pegasus_seconds(clock_.unix_seconds() + default_ttl_) : 0;
}

// Of a write of this cluster's own clients.
uint64_t WritePath::timetag_of(int64_t timestamp_us) const {
  return record::make_timetag(uint64_t(timestamp_us), options_.clusters.own, false);
}

// A row that gets its expiry from this table's env is logged with it: the other cluster's row ends
// at the same second, whatever its table's envs are and whenever it gets there.
int32_t WritePath::add_put(Update& update, int64_t timestamp_us, Batch& batch) {
  auto put = wire::decode_put(update.call.body());
  if (!put || !is_raw_key(put->key)) return kInvalidArgument;
  const bool is_default = put->expire_ts == 0 && batch.default_expiry != 0;
  if (is_default) put->expire_ts = batch.default_expiry;
  batch.writes.put(put->key, put->value, put->expire_ts, timetag_of(timestamp_us));
  if (is_default && batch.is_logged)
    wire::append_put(update.outcomes.emplace_back(LoggedCode::kPut).body, *put, 0);
  return kOk;
}

int32_t WritePath::add_multi_put(Update& update, int64_t timestamp_us, Batch& batch) {
  auto put = wire::decode_multi_put(update.call.body());
  if (!put || put->rows.empty() || !record::check_hash_key(put->hash_key)) return kInvalidArgument;
  const bool is_default = put->expire_ts == 0 && batch.default_expiry != 0;
  if (is_default) put->expire_ts = batch.default_expiry;
  std::string key;
  auto timetag = timetag_of(timestamp_us);
  for (const auto& row : put->rows) {
    key.clear();
    record::append_key(key, put->hash_key, row.key);
    batch.writes.put(key, row.value, put->expire_ts, timetag);
  }
  if (is_default && batch.is_logged)
    wire::append_multi_put(update.outcomes.emplace_back(LoggedCode::kMultiPut).body, *put, 0);
  return kOk;
}

int32_t WritePath::add_remove(std::string_view body, Batch& batch) {
  auto key = wire::decode_body<wire::blob>(body);
  if (!key || !is_raw_key(key->data)) return kInvalidArgument;
  batch.writes.remove(key->data);
  return kOk;
}

std::string WritePath::add_multi_remove(Update& update, int64_t decree, Batch& batch) {
  wire::multi_remove_response response;
  response.error = update.status = kInvalidArgument;
  response.app_id = options_.gpid.app_id;
  response.partition_index = options_.gpid.partition_index;
  response.decree = decree;
  response.server = options_.server;
  auto request = wire::decode_body<wire::multi_remove_request>(update.call.body());
  if (!request || request->sort_keys.empty() || !record::check_hash_key(request->hash_key.data))
    return wire::encode_body(response);
  for (const auto& sort_key : request->sort_keys)
    batch.writes.remove(record::encode_key(request->hash_key.data, sort_key.data));
  response.error = update.status = kOk;
  response.count = int64_t(request->sort_keys.size());
  return wire::encode_body(response);
}

std::string WritePath::add_atomic(Update& update, const Mutation& mutation, Batch& batch) {
  AtomicContext context{.db = db_,
                        .gpid = options_.gpid,
                        .server = options_.server,
                        .decree = mutation.decree,
                        .now = record::pegasus_seconds(clock_.unix_seconds()),
                        .default_expiry = batch.default_expiry,
                        .cluster_id = options_.clusters.own,
                        .outcomes = batch.is_logged ? &update.outcomes : nullptr,
                        .timestamp_us = mutation.timestamp_us};
  return apply_atomic(context, update.code, update.call.body(), batch.writes);
}

// No row gets a later timestamp than its mutation: what clients write next is newer.
std::string WritePath::add_duplicate(std::string_view body, int64_t timestamp_us, Batch& batch) {
  DuplicateContext context{.db = db_,
                           .clusters = options_.clusters,
                           .unix_us = std::min(clock_.unix_us(), timestamp_us),
                           .now = record::pegasus_seconds(clock_.unix_seconds()),
                           .default_expiry = batch.default_expiry,
                           .metrics = options_.duplication};
  return apply_duplicate(context, body, batch.writes);
}

void WritePath::reply(Mutation& mutation) {
  std::string body;
  for (auto& update : mutation.updates) {
    if (!update.reply.empty()) {
      update.call.reply(ErrorCode::kOk, update.reply);
      continue;
    }
    body.clear();
    wire::append_update_reply(body, {.error = update.status,
                                     .app_id = options_.gpid.app_id,
                                     .partition_index = options_.gpid.partition_index,
                                     .decree = mutation.decree,
                                     .server = options_.server});
    update.call.reply(ErrorCode::kOk, body);
  }
}

// Nothing of the mutations can be seen, but some of it may be in RocksDB's log, and a later opening
// may show them whole. So their decrees and timestamps are not given again.
void WritePath::reply_failed(std::vector<Mutation>& mutations, const Error& error) {
  log_.error(
      fmt::format("decree {}{} was not written: {}", mutations.front().decree,
                  mutations.size() > 1 ? " to " + std::to_string(mutations.back().decree) : "",
                  error.to_string()));
  auto code = store::is_disk_full(error) ? ErrorCode::kDiskInsufficient : ErrorCode::kDiskIoError;
  // Clients in other languages do not know ERR_DISK_IO_ERROR; they get that of a full disk.
  for (auto& mutation : mutations)
    for (auto& update : mutation.updates)
      update.call.reply(
          update.call.head().framing == wire::Framing::kRdsn ? code : ErrorCode::kDiskInsufficient);
}

}  // namespace pegmove::server::replica
