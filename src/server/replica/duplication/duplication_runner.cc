#include "server/replica/duplication/duplication_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>

namespace pegmove::server::replica {

using duplication::Assignment;

namespace {

constexpr async::milliseconds kFirstPauseOfChange{50};
constexpr async::milliseconds kLongestPauseOfChange{10'000};

}  // namespace

// The connections to other clusters.
struct DuplicationRunner::Remote {
  Remote(asio::any_io_executor executor, Clock& clock, const Logger& log)
      : client(std::move(executor), clock), clocks(client, log) {}
  client::Client client;
  shipping::ServerClocks clocks;
  std::map<std::string, std::weak_ptr<shipping::TargetTable>> tables;  // by cluster and name
};

struct DuplicationRunner::Partition : std::enable_shared_from_this<Partition> {
  Partition(Gpid id, asio::any_io_executor node) : gpid(id), executor(std::move(node)) {}

  void wake_soon();                          // from any thread
  void watch(std::shared_ptr<Replica> now);  // on a thread that may block

  const Gpid gpid;
  const asio::any_io_executor executor;
  async::Semaphore turn{1};  // changes are made one after the other
  std::map<int32_t, std::shared_ptr<Shipper>> shippers;
  int64_t trimmed = 0;
  uint64_t changes = 0;             // asked for until now
  std::atomic<bool> wakes = false;  // wake_soon() is under way
  std::mutex watch_mutex;           // guards what follows
  std::weak_ptr<Replica> watched;
};

// Many writes that come soon after each other wake the shippers once.
void DuplicationRunner::Partition::wake_soon() {
  if (wakes.exchange(true)) return;
  asio::post(executor, [held = weak_from_this()] {
    auto self = held.lock();
    if (!self) return;
    self->wakes = false;
    for (auto& [id, shipper] : self->shippers) shipper->wake();
  });
}

void DuplicationRunner::Partition::watch(std::shared_ptr<Replica> now) {
  std::lock_guard lock(watch_mutex);
  if (watched.lock() == now) return;
  watched = now;
  now->on_logged([held = weak_from_this()] {
    if (auto self = held.lock()) self->wake_soon();
  });
}

// The log of a partition, through the replica that serves it now: it may be closed and opened.
class DuplicationRunner::PartitionLog : public ShippedLog {
 public:
  PartitionLog(const DuplicationRunner& runner, std::weak_ptr<Partition> partition, Gpid gpid)
      : find_(runner.options_.find),
        pool_(runner.pool_),
        partition_(std::move(partition)),
        gpid_(gpid) {}

  Task<store::LogPiece> read(int64_t after, size_t most_bytes) override {
    auto replica = find_(gpid_);
    if (!replica)
      co_return fail(Code::kNotFound,
                     fmt::format("partition {} is not open here", gpid_.to_string()));
    co_return co_await pool_.run(
        [replica = std::move(replica), partition = partition_, after, most_bytes] {
          if (auto watching = partition.lock()) watching->watch(replica);
          return read_from(*replica, after, most_bytes);
        });
  }
  store::LogBacklog backlog(int64_t after) const override {
    const auto replica = find_(gpid_);
    if (!replica) return {};
    auto backlog = replica->log_backlog(after);
    return backlog ? *backlog : store::LogBacklog();
  }
  int64_t last_decree() const override {
    const auto replica = find_(gpid_);
    return replica ? replica->last_decree() : 0;
  }
  std::shared_ptr<DuplicationMetrics> metrics() const override {
    const auto replica = find_(gpid_);
    if (!replica) return nullptr;
    auto metrics = replica->observer();
    auto* part = &metrics->duplication;
    return {std::move(metrics), part};
  }

 private:
  static Result<store::LogPiece> read_from(Replica& replica, int64_t after, size_t most_bytes);

  const std::function<std::shared_ptr<Replica>(Gpid)> find_;
  async::Pool& pool_;
  const std::weak_ptr<Partition> partition_;
  const Gpid gpid_;
};

// A log that is not kept any more was dropped with a folder that was put back, or is a copy.
Result<store::LogPiece> DuplicationRunner::PartitionLog::read_from(Replica& replica, int64_t after,
                                                                   size_t most_bytes) {
  if (!replica.keeps_log())
    return fail(Code::kCorrupt, "the partition keeps no log: its files were replaced");
  return replica.read_log(after, most_bytes);
}

DuplicationRunner::DuplicationRunner(DuplicationRunnerOptions options,
                                     asio::any_io_executor executor, async::Pool& pool,
                                     Clock& clock, Logger log)
    : options_(std::move(options)),
      executor_(executor),
      pool_(pool),
      clock_(clock),
      log_(std::move(log)),
      tasks_(std::move(executor)) {}

DuplicationRunner::~DuplicationRunner() = default;

DuplicationRunner::Remote& DuplicationRunner::remote() {
  if (!remote_) {
    remote_ = std::make_unique<Remote>(executor_, clock_, log_);
    tasks_.spawn(remote_->clocks.watch(tasks_));
  }
  return *remote_;
}

// One for all partitions here that go to the same table.
std::shared_ptr<shipping::TargetTable> DuplicationRunner::table_of(const Assignment& assignment) {
  auto& tables = remote().tables;
  std::erase_if(tables, [](const auto& entry) { return entry.second.expired(); });
  std::string key = assignment.remote + '\n' + assignment.remote_table;
  for (const auto& meta : assignment.metas) key += '\n' + meta.to_string();
  auto& place = tables[key];
  if (auto table = place.lock()) return table;
  auto table = std::make_shared<shipping::TargetTable>(remote_->client, assignment.remote,
                                                       assignment.metas, assignment.remote_table);
  place = table;
  return table;
}

std::shared_ptr<DuplicationRunner::Partition> DuplicationRunner::partition_of(Gpid gpid) {
  std::lock_guard lock(mutex_);
  auto& partition = partitions_[gpid];
  if (!partition) partition = std::make_shared<Partition>(gpid, executor_);
  return partition;
}

Task<int64_t> DuplicationRunner::keep_log(Gpid gpid) {
  auto partition = partition_of(gpid);
  ++partition->changes;  // a drop that has failed is not tried again
  auto turn = co_await async::Permit::take(&partition->turn);
  auto replica = options_.find(gpid);
  if (!replica)
    co_return fail(Code::kNotFound,
                   fmt::format("partition {} is not served here", gpid.to_string()));
  co_return co_await pool_.run(
      [replica = std::move(replica)]() -> Result<int64_t> { return replica->keep_log(); });
}

void DuplicationRunner::duplicate(Gpid gpid, std::vector<Assignment> assignments) {
  asio::post(executor_, [this, gpid, assignments = std::move(assignments)]() mutable {
    tasks_.spawn(apply(gpid, std::move(assignments)));
  });
}

// A log that could not be dropped or cut would grow, and refuse atomic operations, until the next
// change. So it is tried again, unless another change came.
Routine<> DuplicationRunner::apply(Gpid gpid, std::vector<Assignment> assignments) {
  auto partition = partition_of(gpid);
  const auto number = ++partition->changes;
  std::string reason;
  for (int failures = 0; !tasks_.stopped(); ++failures) {
    {
      auto turn = co_await async::Permit::take(&partition->turn);
      if (failures > 0 && partition->changes != number) co_return;
      const auto done = co_await apply_once(partition, assignments);
      if (done) co_return;
      if (auto why = done.error().to_string(); why != reason) {
        log_.error(fmt::format("the duplication log of partition {}: {}; it is tried again",
                               gpid.to_string(), why));
        reason = std::move(why);
      }
    }
    co_await clock_.sleep_for(async::back_off(failures, kFirstPauseOfChange,
                                              kLongestPauseOfChange));  // no result
    if (partition->changes != number) co_return;
  }
}

Task<> DuplicationRunner::apply_once(std::shared_ptr<Partition> partition,
                                     std::vector<Assignment> assignments) {
  if (tasks_.stopped()) co_return Result<void>();
  co_await end_others(*partition, assignments);  // no result
  if (tasks_.stopped()) co_return Result<void>();
  for (const auto& assignment : assignments) start_or_update(partition, assignment);
  if (assignments.empty()) co_return co_await drop_log(*partition);
  const auto least = std::ranges::min(assignments, {}, &Assignment::confirmed_decree);
  co_return co_await trim_log(*partition, least.confirmed_decree);
}

// Those that are not among the assignments, or go elsewhere now.
Routine<> DuplicationRunner::end_others(Partition& partition,
                                        const std::vector<Assignment>& assignments) {
  std::vector<std::shared_ptr<Shipper>> ended;
  {
    std::lock_guard lock(mutex_);
    std::erase_if(partition.shippers, [&](const auto& entry) {
      const auto now = entry.second->assignment();
      const bool stays = std::ranges::any_of(assignments, [&](const Assignment& assignment) {
        return assignment.id == now.id && assignment.remote == now.remote &&
               assignment.metas == now.metas && assignment.remote_table == now.remote_table;
      });
      if (!stays) ended.push_back(entry.second);
      return !stays;
    });
  }
  for (auto& shipper : ended) shipper->stop();
  for (auto& shipper : ended) co_await shipper->join();  // no result
}

void DuplicationRunner::start_or_update(const std::shared_ptr<Partition>& partition,
                                        const Assignment& assignment) {
  if (auto found = partition->shippers.find(assignment.id); found != partition->shippers.end())
    return found->second->assign(assignment);
  auto& target = remote();
  const Shipping shipping{.executor = executor_,
                          .client = target.client,
                          .clocks = target.clocks,
                          .on_failpoint = options_.on_failpoint,
                          .cluster_id = options_.cluster_id};
  auto shipper = std::make_shared<Shipper>(
      shipping, std::make_unique<PartitionLog>(*this, partition, partition->gpid), partition->gpid,
      assignment, table_of(assignment),
      log_.with("partition", partition->gpid.to_string())
          .with("duplication", std::to_string(assignment.id)));
  shipper->start();
  std::lock_guard lock(mutex_);
  partition->shippers.emplace(assignment.id, std::move(shipper));
}

Task<> DuplicationRunner::drop_log(Partition& partition) {
  partition.trimmed = 0;
  auto replica = options_.find(partition.gpid);
  if (!replica) co_return Result<void>();
  co_return co_await pool_.run(
      [replica = std::move(replica), held = partition.shared_from_this()]() -> Result<void> {
        {
          std::lock_guard lock(held->watch_mutex);
          held->watched.reset();
          replica->on_logged({});
        }
        return replica->drop_log();
      });
}

Task<> DuplicationRunner::trim_log(Partition& partition, int64_t upto) {
  if (upto <= partition.trimmed) co_return Result<void>();
  auto replica = options_.find(partition.gpid);
  if (!replica) co_return Result<void>();
  CO_TRY(co_await pool_.run([replica = std::move(replica), upto]() -> Result<void> {
    // Without a log there is nothing to drop: reading it says what is wrong.
    if (!replica->keeps_log()) return {};
    return replica->trim_log(upto);
  }));
  partition.trimmed = upto;
  if (options_.on_failpoint) options_.on_failpoint("duplication.log_trimmed");
  co_return Result<void>();
}

std::vector<DuplicationState> DuplicationRunner::duplications(Gpid gpid) const {
  std::vector<std::shared_ptr<Shipper>> shippers;
  {
    std::lock_guard lock(mutex_);
    const auto found = partitions_.find(gpid);
    if (found == partitions_.end()) return {};
    for (const auto& [id, shipper] : found->second->shippers) shippers.push_back(shipper);
  }
  std::vector<DuplicationState> states;
  for (const auto& shipper : shippers)
    states.push_back({shipper->assignment(), shipper->progress()});
  return states;
}

void DuplicationRunner::stop() {
  tasks_.stop();
  for (auto& [gpid, partition] : partitions_)
    for (auto& [id, shipper] : partition->shippers) shipper->stop();
}

Routine<> DuplicationRunner::join() {
  // Ends the calls that shippers wait for.
  if (remote_) co_await remote_->client.close();  // no result
  for (auto& [gpid, partition] : partitions_)
    for (auto& [id, shipper] : partition->shippers) co_await shipper->join();  // no result
  co_await tasks_.join();                                                      // no result
  if (remote_) remote_->client.host_names().stop();
}

}  // namespace pegmove::server::replica
