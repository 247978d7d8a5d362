#include "server/replica/replica.h"

#include <fmt/format.h>

#include <utility>

#include "base/units.h"
#include "record/expiry.h"
#include "server/replica/read_operations.h"
#include "server/replica/scan_operations.h"

namespace pegmove::server::replica {

using wire::ErrorCode;
using wire::RpcCode;

Result<std::shared_ptr<Replica>> Replica::open(ReplicaOptions options, async::Pool& pool,
                                               Clock& clock, Logger log) {
  auto db = TRY(store::PartitionDb::open(options.db));
  return std::shared_ptr<Replica>(
      new Replica(std::move(options), std::move(db), pool, clock, std::move(log)));
}

Replica::Replica(ReplicaOptions options, std::unique_ptr<store::PartitionDb> db, async::Pool& pool,
                 Clock& clock, Logger log)
    : options_(std::move(options)),
      db_(std::move(db)),
      pool_(pool),
      clock_(clock),
      log_(std::move(log)),
      scans_(clock),
      writes_(*db_, pool, clock, log_,
              {.gpid = options_.gpid,
               .server = options_.server,
               .max_request_size = options_.max_request_size,
               .clusters = options_.clusters,
               .duplication = &options_.metrics->duplication,
               .costs = options_.write_costs,
               .refused_atomic = options_.metrics
                                     ? &options_.metrics->dup_rejected_non_idempotent_write_requests
                                     : nullptr}),
      admission_(options_.gpid, clock, options_.max_request_size) {}

Replica::~Replica() { scans_.clear(); }

void Replica::close() {
  db_->stop_compacting();
  writes_.close();
}

template <typename CarryOut>
void Replica::admit(Admission admission, net::IncomingCall call, Secondary secondary,
                    CarryOut carry_out) {
  using enum Admission::Kind;
  if (admission.kind == kDrop) return;
  if (admission.pause.count() > 0) {
    const auto pause = std::exchange(admission.pause, {});
    const auto& later = secondary ? secondary->later : options_.later;
    // Weak: a waiting request does not keep the database open.
    return later(pause, [held = weak_from_this(), admission, secondary, carry_out,
                         call = std::move(call)]() mutable {
      auto self = held.lock();
      if (!self) return call.reply(ErrorCode::kObjectNotFound);
      self->admit(admission, std::move(call), std::move(secondary), carry_out);
    });
  }
  if (admission.kind == kRefuse) return call.reply(admission.error);
  carry_out(std::move(call), std::move(secondary));
}

ReplicaMetrics& Replica::metrics_at(const SecondarySeat* secondary) const {
  return secondary ? *secondary->metrics : *options_.metrics;
}

void Replica::read(RpcCode code, net::IncomingCall call, Secondary secondary) {
  const auto admission =
      admission_.read(call.head(), secondary ? Role::kSecondary : Role::kPrimary);
  metrics_at(secondary.get()).count_throttled(admission, call.head().is_backup_request, code);
  admit(admission, std::move(call), std::move(secondary),
        [this, code](net::IncomingCall admitted, Secondary through) {
          start_read(code, std::move(admitted), std::move(through));
        });
}

void Replica::start_read(RpcCode code, net::IncomingCall call, Secondary secondary) {
  pool_.post([self = shared_from_this(), code, call = std::move(call),
              secondary = std::move(secondary)]() mutable {
    if (call.has_room_for_reply()) return self->answer_read(code, call, secondary.get());
    // Weak, as in admit().
    net::IncomingCall::when_room_for_reply(
        std::move(call), [held = std::weak_ptr(self), code,
                          secondary = std::move(secondary)](net::IncomingCall waited) mutable {
          auto replica = held.lock();
          if (!replica) return waited.reply(ErrorCode::kObjectNotFound);
          replica->start_read(code, std::move(waited), std::move(secondary));
        });
  });
}

void Replica::write(RpcCode code, net::IncomingCall call, Secondary secondary) {
  const auto admission =
      admission_.write(call.head(), secondary ? Role::kSecondary : Role::kPrimary);
  metrics_at(secondary.get()).count_throttled(admission, false, code);
  admit(admission, std::move(call), std::move(secondary),
        [this, code](net::IncomingCall admitted, const Secondary&) {
          writes_.submit(code, std::move(admitted));
        });
}

Result<std::chrono::microseconds> Replica::ingest(const std::vector<std::string>& files,
                                                  bool behind, int64_t load) {
  const auto begin = clock_.now();
  const auto refused = writes_.refused();
  writes_.suspend();
  auto ingested = db_->ingest(files, behind, load);
  writes_.resume();
  options_.metrics->bulk_load_ingestion_rejected_write_requests.add(writes_.refused() - refused);
  TRY(std::move(ingested));
  return std::chrono::duration_cast<std::chrono::microseconds>(clock_.now() - begin);
}

// Writes try it by themselves (WritePath). But without a client that writes, a duplication would
// wait for one.
template <typename Call>
auto Replica::with_recovery(Call call) {
  auto result = call();
  if (result || db_->health() || !writes_.recover()) return result;
  return call();
}

Result<int64_t> Replica::keep_log() {
  return with_recovery([this] { return writes_.keep_log(); });
}

Result<void> Replica::drop_log() {
  TRY(with_recovery([this] { return writes_.drop_log(); }));
  return db_->reclaim_log();
}

Result<store::LogPiece> Replica::read_log(int64_t after, size_t most_bytes) {
  return with_recovery([&] { return db_->read_log(after, most_bytes); });
}

Result<void> Replica::trim_log(int64_t upto) {
  return with_recovery([&] { return db_->trim_log(upto); });
}

void Replica::answer_read(RpcCode code, net::IncomingCall& call, const SecondarySeat* secondary) {
  const auto threshold = slow_query_.load();
  if (threshold.count() == 0) return carry_out_read(code, call, secondary);
  const auto begin = clock_.now();
  carry_out_read(code, call, secondary);
  const auto took = std::chrono::duration_cast<async::milliseconds>(clock_.now() - begin);
  if (took >= threshold)
    log_.warning(fmt::format("slow query: {} from {} took {}", wire::rpc_name(code),
                             call.peer().to_string(), base::format_duration(took)));
}

void Replica::carry_out_read(RpcCode code, net::IncomingCall& call,
                             const SecondarySeat* secondary) {
  const ReadContext context{.db = *db_,
                            .gpid = options_.gpid,
                            .server = secondary ? secondary->server : options_.server,
                            .now = record::pegasus_seconds(clock_.unix_seconds()),
                            .iteration_time = iteration_time_,
                            .partition_count = validated_partition_count_,
                            .metrics = metrics_at(secondary)};
  if (code == RpcCode::kClearScanner) {
    if (auto id = wire::decode_i64_body(call.body())) scans_.take(*id);
    return;  // never answered: some clients break on a reply
  }
  auto reply = code == RpcCode::kGetScanner ? open_scan(context, clock_, scans_, call.body())
               : code == RpcCode::kScan     ? continue_scan(context, clock_, scans_, call.body())
                                            : answer(context, clock_, code, call.body());
  if (reply) {
    admission_.count_read(reply->size());
    return call.reply(ErrorCode::kOk, *reply);
  }
  if (reply.error().code() == Code::kProtocol) return call.reply(ErrorCode::kInvalidParameters);
  log_.error("reading: " + reply.error().to_string());
  call.reply(ErrorCode::kLocalAppFailure);
}

void Replica::apply_envs(const EnvMap& map, int32_t partition_count) {
  const auto envs = parse_table_envs(map);
  writes_.set_default_ttl(envs.default_ttl_seconds);
  admission_.configure(envs, partition_count);
  iteration_time_ = envs.iteration_time;
  slow_query_ = envs.slow_query;
  validated_partition_count_ = envs.validate_partition_hash ? partition_count : 0;
  db_->set_compaction_policy({.default_ttl_seconds = uint32_t(envs.default_ttl_seconds),
                              .rules = store::CompactionRules::parse(envs.compaction_rules)});
  waits_for_load_behind_ =
      envs.allow_ingest_behind && envs.tuning.scenario == store::UsageScenario::kBulkLoad;
  if (auto tuned = db_->tune(envs.tuning); !tuned) log_.error(tuned.error().to_string());
  std::lock_guard lock(plan_mutex_);
  plan_ = envs.compaction;
}

std::optional<Replica::QueuedCompaction> Replica::queue_compaction() {
  std::lock_guard lock(plan_mutex_);
  const auto state = compaction_state_.load();
  if (state == CompactionState::kQueuing || state == CompactionState::kRunning) return std::nullopt;
  if (waits_for_load_behind_) return std::nullopt;
  // A failed one is not retried for the same trigger.
  const auto last_end =
      std::max(db_->last_compact_unix_ms() / 1000, failed_compaction_unix_seconds_.load());
  const auto how = compaction_due(plan_, last_end, clock_.unix_seconds());
  if (!how) return std::nullopt;
  compaction_state_ = CompactionState::kQueuing;
  compaction_times_.queued_ms = clock_.unix_us() / 1000;
  return QueuedCompaction{*how, plan_.most_running};
}

void Replica::unqueue_compaction() {
  compaction_times_.queued_ms = 0;
  compaction_state_ = CompactionState::kIdle;
}

void Replica::compact(CompactionPlan::How how) {
  const auto begin = clock_.unix_us() / 1000;
  compaction_times_.queued_ms = 0;
  compaction_times_.started_ms = begin;
  compaction_state_ = CompactionState::kRunning;
  log_.info("manual compaction begins");
  auto done = db_->compact(
      {.target_level = how.target_level, .rewrite_lowest_level = how.rewrite_lowest_level});
  if (!done) log_.error("manual compaction: " + done.error().to_string());
  if (!done && done.error().code() != Code::kInterrupted)
    failed_compaction_unix_seconds_ = clock_.unix_seconds();
  if (done) log_.info("manual compaction has ended");
  compaction_times_.started_ms = 0;
  if (done) compaction_times_.took_ms = clock_.unix_us() / 1000 - begin;
  compaction_state_ = done ? CompactionState::kFinished : CompactionState::kIdle;
}

}  // namespace pegmove::server::replica
