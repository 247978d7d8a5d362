#include "server/meta/duplication/duplication_work.h"

#include <fmt/format.h>

#include <algorithm>

#include "async/for_each.h"

namespace pegmove::server::meta {
namespace {

constexpr async::milliseconds kLookAtProgress{1'000};
constexpr async::milliseconds kFirstPause{50};
constexpr async::milliseconds kLongestPause{10'000};
constexpr async::milliseconds kRemoteTimeout{10'000};
constexpr size_t kCheckpointsAtOnce =
    10;  // Pegasus: max_concurrent_manual_emergency_checkpointing_count

bool has_shipped(const DuplicationRecord& record) {
  return record.status == wire::DS_LOG || record.status == wire::DS_PAUSE;
}

}  // namespace

void DuplicationWork::watch() { context_.tasks.spawn(watch_loop()); }

Routine<> DuplicationWork::watch_loop() {
  while (!context_.stopped()) {
    co_await look();                                     // no result
    co_await context_.clock.sleep_for(kLookAtProgress);  // no result
  }
}

// Confirmed decrees that have moved are written, and only then is the log up to them dropped.
Routine<> DuplicationWork::look() {
  struct Moved {
    int32_t id;
    Gpid gpid;
    int64_t decree;
  };
  std::vector<Moved> moved;
  MetaBatch batch;
  for (const auto& [app_id, table] : records_) {
    for (const auto& [id, record] : table) {
      if (!has_shipped(record)) continue;
      for (size_t i = 0; i < record.confirmed.size(); ++i) {
        const auto decree = progress(record, i).shipped_decree;
        if (decree <= record.confirmed[i]) continue;
        moved.push_back({.id = id, .gpid = {app_id, int32_t(i)}, .decree = decree});
        put_confirmed(batch, record, i, decree);
      }
    }
  }
  if (batch.empty()) co_return;
  if (!co_await context_.save(std::move(batch), "noting the progress of duplications")) co_return;
  context_.failpoint("duplication.progress_noted");
  std::set<Gpid> changed;
  for (const auto& [id, gpid, decree] : moved) {
    auto* record = find_duplication(records_, gpid.app_id, id);
    if (!record) continue;  // removed meanwhile
    auto& confirmed = record->confirmed[size_t(gpid.partition_index)];
    confirmed = std::max(confirmed, decree);
    changed.insert(gpid);
  }
  for (const auto gpid : changed) send(gpid);
}

duplication::Progress DuplicationWork::progress(const DuplicationRecord& record,
                                                size_t partition) const {
  const auto confirmed = record.confirmed[partition];
  duplication::Progress found;
  found.id = record.id;
  found.last_decree = -1;  // not known
  const auto* app = context_.catalog.find_by_id(record.app_id);
  if (app && app->is_available())
    for (auto& each : context_.nodes.duplication_progress(app->partitions[partition].node,
                                                          {record.app_id, int32_t(partition)}))
      if (each.id == record.id) found = std::move(each);
  found.shipped_decree = std::max(found.shipped_decree, confirmed);
  return found;
}

std::string DuplicationWork::waits_for(const DuplicationRecord& record) const {
  const auto found = following_.find({record.app_id, record.id});
  if (found != following_.end()) return found->second.waits_for;
  if (record.status != wire::DS_PAUSE) return "";
  const auto* other = rival(record, Others::kAvailable);
  return other ? rival_text(*other) : "";
}

const DuplicationRecord* DuplicationWork::rival(const DuplicationRecord& record,
                                                Others others) const {
  for (const auto& [app_id, table] : records_) {
    const auto* app = context_.catalog.find_by_id(app_id);
    if (app_id == record.app_id || !app) continue;
    if (others == Others::kAvailable && !app->is_available()) continue;
    for (const auto& [id, other] : table)
      if (other.remote == record.remote && other.remote_table == record.remote_table) return &other;
  }
  return nullptr;
}

std::string DuplicationWork::rival_text(const DuplicationRecord& rival) const {
  const auto* app = context_.catalog.find_by_id(rival.app_id);
  auto text = fmt::format(
      "illegal operation: another app({}) is also duplicated to the same remote app(cluster={}, "
      "app={})",
      app->info.app_name, rival.remote, rival.remote_table);
  if (!app->is_available())
    text += fmt::format(
        "; it is dropped: recall it (recall {} NAME) and remove its duplication {}, or choose "
        "another name there (add_dup -a NAME)",
        rival.app_id, rival.id);
  return text;
}

std::vector<net::HostPort> DuplicationWork::metas_of(const std::string& cluster) const {
  const auto found = options_.clusters.find(cluster);
  return found == options_.clusters.end() ? std::vector<net::HostPort>() : found->second;
}

std::vector<duplication::Assignment> DuplicationWork::assignments(Gpid gpid) const {
  std::vector<duplication::Assignment> assignments;
  const auto table = records_.find(gpid.app_id);
  if (table == records_.end()) return assignments;
  for (const auto& [id, record] : table->second)
    assignments.push_back({.id = id,
                           .remote = record.remote,
                           .metas = metas_of(record.remote),
                           .remote_table = record.remote_table,
                           .fail_mode = duplication::FailMode(record.fail_mode),
                           .ships = record.status == wire::DS_LOG,
                           .confirmed_decree = record.confirmed[size_t(gpid.partition_index)]});
  return assignments;
}

void DuplicationWork::send(Gpid gpid) {
  const auto* app = context_.catalog.find_by_id(gpid.app_id);
  if (!app || !app->is_available() || is_held(gpid.app_id)) return;
  context_.nodes.duplicate(app->partitions[size_t(gpid.partition_index)].node, gpid,
                           assignments(gpid));
}

void DuplicationWork::send(int32_t app_id) {
  const auto* app = context_.catalog.find_by_id(app_id);
  if (!app) return;
  for (int32_t i = 0; i < app->info.partition_count; ++i) send(Gpid{app_id, i});
}

void DuplicationWork::release(int32_t app_id) {
  held_.erase(app_id);
  send(app_id);
}

bool DuplicationWork::is_busy(int32_t app_id) const {
  return is_held(app_id) || std::ranges::any_of(following_, [app_id](const auto& each) {
           return each.first.first == app_id;
         });
}

bool DuplicationWork::is_followed(Key key) const {
  const auto* record = find_duplication(records_, key.first, key.second);
  const auto* app = context_.catalog.find_by_id(key.first);
  return !context_.stopped() && record && app && app->is_available() &&
         (record->status == wire::DS_PREPARE || record->status == wire::DS_APP);
}

Result<void> DuplicationWork::still(Key key) const {
  if (is_followed(key)) return {};
  return fail(Code::kInterrupted, "the duplication was removed, or its table dropped");
}

void DuplicationWork::follow(int32_t app_id, int32_t id) {
  const Key key{app_id, id};
  if (!is_followed(key) || !following_.emplace(key, Following()).second) return;
  context_.tasks.spawn(follow_loop(key));
}

Routine<> DuplicationWork::follow_loop(Key key) {
  int failures = 0;
  while (is_followed(key)) {
    const auto done = co_await step(key);
    auto& waits_for = following_.at(key).waits_for;
    if (done) {
      waits_for.clear();
      failures = 0;
      continue;
    }
    if (!is_followed(key)) break;
    const auto* record = find_duplication(records_, key.first, key.second);
    if (auto why = done.error().to_string(); why != waits_for) {
      context_.log.warning(fmt::format("duplication {} of table {} to {} waits: {}", key.second,
                                       context_.catalog.find_by_id(key.first)->info.app_name,
                                       record->remote, why));
      waits_for = std::move(why);
    }
    const auto pause = async::back_off(failures++, kFirstPause, kLongestPause);
    co_await context_.clock.sleep_for(pause);  // no result
  }
  following_.erase(key);
}

Task<> DuplicationWork::step(Key key) {
  if (const auto* other =
          rival(*find_duplication(records_, key.first, key.second), Others::kAvailable))
    co_return fail(Code::kRefused, rival_text(*other));
  if (!following_.at(key).has_checkpoints) CO_TRY(co_await make_checkpoints(key));
  following_.at(key).has_checkpoints = true;
  if (find_duplication(records_, key.first, key.second)->status == wire::DS_PREPARE)
    co_return co_await prepare(key);
  co_return co_await complete(key);
}

Task<> DuplicationWork::check_absent(Key key) {
  const auto wanted = request(*find_duplication(records_, key.first, key.second));
  CO_TRY(co_await follower_.check_absent(wanted, Deadline::in(context_.clock, kRemoteTimeout)));
  co_return still(key);
}

Task<std::vector<int64_t>> DuplicationWork::checkpoint_partitions(Key key) {
  const auto app = *context_.catalog.find_by_id(key.first);
  std::vector<int64_t> decrees(app.partitions.size());
  const auto make_one = [&](size_t i) -> Task<> {  // outlives: this frame, until all are made
    decrees[i] = CO_TRY(in_context(
        co_await context_.nodes.prepare_checkpoint(app.partitions[i].node, {key.first, int32_t(i)}),
        fmt::format("the checkpoint of partition {}", i)));
    co_return Result<void>();
  };
  CO_TRY(co_await async::for_each(decrees.size(), kCheckpointsAtOnce, make_one));
  CO_TRY(still(key));
  co_return decrees;
}

// Once the target may have begun to fetch them, newer checkpoints do not move the confirmed
// decrees: a partition that has the earlier one needs all that follows it.
//
// A table that is there before may have fetched checkpoints of an earlier duplication, which lack
// the writes since: CREATE would adopt it, as its envs are the same. So the name must be free when
// these checkpoints have replaced the earlier ones. The first question only saves the checkpoints.
// Once they are noted, CREATE may have been carried out, and a table that is there is ours.
Task<> DuplicationWork::make_checkpoints(Key key) {
  const bool is_first = !find_duplication(records_, key.first, key.second)->is_checkpoint_ready;
  if (is_first) CO_TRY(co_await check_absent(key));
  const auto decrees = CO_TRY(co_await checkpoint_partitions(key));
  if (!is_first) co_return Result<void>();
  CO_TRY(co_await check_absent(key));
  const auto* record = find_duplication(records_, key.first, key.second);
  auto ready = *record;
  ready.is_checkpoint_ready = true;
  for (size_t i = 0; i < decrees.size(); ++i)
    ready.confirmed[i] = std::max(ready.confirmed[i], decrees[i]);
  MetaBatch batch;
  put_whole_duplication(batch, ready);
  if (!context_.save_now(std::move(batch), "noting the checkpoints of a duplication"))
    co_return fail(Code::kIo, "the checkpoints could not be noted; the log says why");
  *find_duplication(records_, key.first, key.second) = std::move(ready);
  context_.failpoint("duplication.checkpoints_noted");
  send(key.first);
  co_return Result<void>();
}

Task<> DuplicationWork::prepare(Key key) {
  const auto wanted = request(*find_duplication(records_, key.first, key.second));
  CO_TRY(
      co_await follower_.create(wanted, "creating", Deadline::in(context_.clock, kRemoteTimeout)));
  context_.failpoint("duplication.follower_made");
  co_return change_status(key, wire::DS_APP);
}

// All partitions must serve, and so have fetched their checkpoints, before the target learns that
// it is "created". Real servers do not notice when nothing was fetched.
Task<> DuplicationWork::complete(Key key) {
  const auto wanted = request(*find_duplication(records_, key.first, key.second));
  const auto deadline = Deadline::in(context_.clock, kRemoteTimeout);
  CO_TRY(co_await follower_.check(wanted, deadline));
  CO_TRY(still(key));
  CO_TRY(co_await follower_.create(wanted, "created", deadline));
  context_.failpoint("duplication.follower_completed");
  CO_TRY(still(key));
  CO_TRY(co_await follower_.check(wanted, deadline));
  co_return change_status(key, wire::DS_LOG);
}

// The fail mode becomes FAIL_SLOW, as in Pegasus.
Result<void> DuplicationWork::change_status(Key key, wire::duplication_status status) {
  TRY(still(key));
  auto* record = find_duplication(records_, key.first, key.second);
  auto changed = *record;
  changed.status = status;
  changed.fail_mode = wire::FAIL_SLOW;
  MetaBatch batch;
  put_duplication(batch, changed);
  if (!context_.save_now(std::move(batch), "noting the state of a duplication"))
    return fail(Code::kIo, "its state could not be noted; the log says why");
  *record = std::move(changed);
  context_.failpoint(status == wire::DS_APP ? "duplication.app_noted" : "duplication.log_noted");
  send(key.first);
  return {};
}

FollowerRequest DuplicationWork::request(const DuplicationRecord& record) const {
  const auto& app = context_.catalog.find_by_id(record.app_id)->info;
  return {.remote = record.remote,
          .metas = metas_of(record.remote),
          .table = record.remote_table,
          .partition_count = app.partition_count,
          .replica_count = record.remote_replica_count,
          .app_type = app.app_type,
          .envs = app.envs,
          .own_cluster = options_.cluster_name,
          .own_metas = follower_.own_metas(),
          .own_table = app.app_name};
}

}  // namespace pegmove::server::meta
