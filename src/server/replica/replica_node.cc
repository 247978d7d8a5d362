#include "server/replica/replica_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/local_file.h"
#include "meta_types.h"
#include "net/tcp.h"
#include "replica_admin_types.h"
#include "server/replica/disk_info.h"

namespace pegmove::server::replica {
namespace {

using wire::ErrorCode;
using wire::RpcCode;

// Shared by all partitions of a node.
constexpr size_t kBlockCacheBytes = 128 << 20;
constexpr size_t kMemtableBytes = 256 << 20;

constexpr async::milliseconds kReplicaCheckPeriod{30'000};  // as often as real nodes fetch new envs

constexpr RpcCode kReads[] = {RpcCode::kGet,      RpcCode::kTtl,          RpcCode::kBatchGet,
                              RpcCode::kMultiGet, RpcCode::kSortkeyCount, RpcCode::kGetScanner,
                              RpcCode::kScan,     RpcCode::kClearScanner};
constexpr RpcCode kWrites[] = {
    RpcCode::kPut,  RpcCode::kRemove,      RpcCode::kMultiPut,       RpcCode::kMultiRemove,
    RpcCode::kIncr, RpcCode::kCheckAndSet, RpcCode::kCheckAndMutate, RpcCode::kDuplicate};

}  // namespace

ReplicaNode::ReplicaNode(asio::any_io_executor executor, NodeOptions options, Clock& clock,
                         Logger log)
    : executor_(executor),
      options_(std::move(options)),
      clock_(clock),
      log_(std::move(log)),
      resources_(store::StoreResources::make(kBlockCacheBytes, kMemtableBytes)),
      tasks_(executor),
      operations_(
          {.cluster = options_.cluster_name,
           .role = "replica",
           .dump_dir = options_.data_dir + "/dump"},
          [this](auto work) { operations_pool_.post(std::move(work)); }, tasks_, clock),
      metrics_(std::make_shared<NodeMetrics>(operations_.server(), log_)),
      disk_(operations_.metrics.add("disk", std::string("disk@") + kDiskTag,
                                    {{"tag", kDiskTag}, {"data_dir", options_.data_dir}})),
      pool_(options_.pool_threads),
      backups_({.providers = options_.providers, .on_failpoint = options_.on_failpoint}, clock_,
               log_),
      loads_(
          {.providers = options_.providers, .on_failpoint = options_.on_failpoint},
          [this](const std::string& provider) { return backups_.limits_of_reads(provider); },
          clock_),
      checkpoints_(log_, options_.on_failpoint),
      checkpoint_server_(checkpoint_server_options(), checkpoints_, tasks_, operations_.server()),
      fetcher_(executor,
               {.limits = backups_.limits_of_reads(""), .on_failpoint = options_.on_failpoint},
               clock_, operations_.server()),
      duplications_({.cluster_id = options_.clusters.own,
                     .on_failpoint = options_.on_failpoint,
                     .find = [this](Gpid gpid) { return find(gpid); }},
                    executor_, pool_, clock_, log_) {
  register_handlers();
  register_http();
  register_commands();
  operations_.refresh = [this] { refresh_metrics(); };
  operations_.table_name = [this](const std::string& id) {
    std::lock_guard lock(mutex_);
    auto found = table_names_.find(std::atoi(id.c_str()));
    return found == table_names_.end() ? id : found->second;
  };
}

ReplicaNode::~ReplicaNode() {
  for (auto& [gpid, replica] : replicas_) replica->close();
}

void ReplicaNode::register_handlers() {
  for (auto code : kReads)
    dispatcher_.on(code, [this, code](net::IncomingCall call) {
      if (auto reached = admit(code, call); reached.replica)
        reached.replica->read(code, std::move(call), std::move(reached.secondary));
    });
  for (auto code : kWrites)
    dispatcher_.on(code, [this, code](net::IncomingCall call) {
      if (auto reached = admit(code, call); reached.replica)
        reached.replica->write(code, std::move(call), std::move(reached.secondary));
    });
  dispatcher_.on(RpcCode::kQueryDiskInfo,
                 [this](net::IncomingCall call) { answer_disk_info(std::move(call)); });
  dispatcher_.on(RpcCode::kCliCall,
                 [this](net::IncomingCall call) { operations_.commands.handle(std::move(call)); });
  dispatcher_.on(RpcCode::kQueryLastCheckpoint,
                 [this](net::IncomingCall call) { checkpoint_server_.query(std::move(call)); });
  dispatcher_.on(RpcCode::kNfsGetFileSize,
                 [this](net::IncomingCall call) { checkpoint_server_.get_sizes(std::move(call)); });
  dispatcher_.on(RpcCode::kNfsCopy,
                 [this](net::IncomingCall call) { checkpoint_server_.copy(std::move(call)); });
  // No authentication: clients that try to negotiate get that as the answer.
  dispatcher_.on_message<wire::negotiation_request, wire::negotiation_response>(
      RpcCode::kNegotiation, [](const auto&, const auto&) {
        wire::negotiation_response response;
        response.status = wire::SASL_AUTH_DISABLE;
        return response;
      });
}

ReplicaNode::Reached ReplicaNode::admit(RpcCode code, net::IncomingCall& call) {
  if (denies_clients_) return {};  // no answer, as in Pegasus
  auto reached = reach(call.head().gpid);
  if (reached.secondary) {
    call.observe(reached.secondary->metrics, code, clock_.now());
  } else if (reached.replica) {
    call.observe(reached.replica->observer(), code, clock_.now());
  } else {
    call.observe(metrics_, code, clock_.now());
    call.reply(ErrorCode::kObjectNotFound);
  }
  return reached;
}

Result<void> ReplicaNode::start() {
  auto acceptor = TRY(net::listen_tcp(executor_, options_.listen));
  TRY(base::make_folders(
      options_.data_dir));  // a node that is only a secondary shows its disk, too
  server_ = std::make_unique<net::RpcServer>(
      executor_, std::move(acceptor), dispatcher_, clock_, log_,
      net::RpcServerLimits{.max_connections = options_.max_connections}, &operations_.http);
  operations_.set_port(server_->local().port);
  backups_.set_server(server_->local().to_string());
  server_->start();
  tasks_.spawn(check_replicas());
  return {};
}

void ReplicaNode::stop() {
  server_->stop();
  duplications_.stop();
  tasks_.stop();
}

Routine<> ReplicaNode::join() {
  co_await server_->join();       // no result
  co_await duplications_.join();  // no result
  co_await tasks_.join();         // no result
  co_await fetcher_.join();       // no result
}

void ReplicaNode::drain() {
  // Writes that wait for their costs need the pool once more.
  for (auto& [gpid, replica] : replicas_) replica->close();
  operations_pool_.finish();
  pool_.finish();
}

Routine<> ReplicaNode::check_replicas() {
  while (!tasks_.stopped()) {
    co_await clock_.sleep_for(kReplicaCheckPeriod);  // no result
    std::lock_guard lock(mutex_);
    for (auto& [gpid, replica] : replicas_) {
      replica->drop_idle_scans();
      compactions_.consider(replica);
    }
  }
}

Routine<> ReplicaNode::run_after(async::milliseconds pause, std::move_only_function<void()> work) {
  co_await clock_.sleep_for(pause);  // no result
  if (!tasks_.stopped()) work();
}

Later ReplicaNode::later() {
  return [this](auto pause, auto work) { tasks_.spawn(run_after(pause, std::move(work))); };
}

std::string ReplicaNode::partition_dir(Gpid gpid) const {
  return options_.data_dir + "/" + gpid.to_string() + ".pegasus";
}

std::shared_ptr<Replica> ReplicaNode::find(Gpid gpid) const {
  std::lock_guard lock(mutex_);
  auto found = replicas_.find(gpid);
  return found == replicas_.end() ? nullptr : found->second;
}

ReplicaNode::Reached ReplicaNode::reach(Gpid gpid) const {
  std::lock_guard lock(mutex_);
  if (auto found = replicas_.find(gpid); found != replicas_.end()) return {found->second, nullptr};
  const auto found = followed_.find(gpid);
  if (found == followed_.end()) return {};
  auto primary = found->second.primary.lock();
  if (!primary) return {};
  return {std::move(primary), found->second.seat};
}

Result<std::shared_ptr<Replica>> ReplicaNode::get(Gpid gpid) const {
  if (auto replica = find(gpid)) return replica;
  return fail(Code::kNotFound, fmt::format("partition {} is not served by {}", gpid.to_string(),
                                           address().to_string()));
}

bool ReplicaNode::serves(Gpid gpid) const { return find(gpid) != nullptr; }

Result<void> ReplicaNode::host(const HostedTable& table, int32_t partition_index) {
  Gpid gpid{table.app_id, partition_index};
  std::lock_guard hosting(hosting_);
  if (serves(gpid)) return {};
  auto dir = partition_dir(gpid) + "/data";
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return fail(Code::kIo, fmt::format("creating {}: {}", dir, error.message()));
  const auto envs = parse_table_envs(table.envs);
  ReplicaOptions options{
      .gpid = gpid,
      .server = address().to_string(),
      .db = {.path = dir + "/rdb",
             .create_if_missing = table.may_be_new,
             .sync_writes = options_.sync_writes,
             .tuning = envs.tuning,
             .allow_ingest_behind = envs.allow_ingest_behind,
             .unix_seconds = [this] { return clock_.unix_seconds(); },
             .resources = resources_},
      .max_request_size = options_.max_request_size,
      .clusters = options_.clusters,
      .write_costs = options_.write_costs,
      .later = later(),
      .metrics = std::make_shared<ReplicaMetrics>(operations_.metrics, gpid, metrics_, clock_)};
  auto replica = TRY(in_context(
      Replica::open(std::move(options), pool_, clock_, log_.with("partition", gpid.to_string())),
      fmt::format("partition {} of table '{}'", partition_index, table.name)));
  replica->apply_envs(table.envs, table.partition_count);
  replica->set_atomic_idempotent(table.atomic_idempotent);
  TRY(checkpoints_.find_left(gpid, dir));
  std::lock_guard lock(mutex_);
  replicas_.emplace(gpid, std::move(replica));
  table_names_[table.app_id] = table.name;
  return {};
}

void ReplicaNode::follow(const HostedTable& table, int32_t partition_index,
                         const std::shared_ptr<Replica>& primary) {
  const Gpid gpid{table.app_id, partition_index};
  std::lock_guard lock(mutex_);
  const auto found = followed_.find(gpid);
  if (!primary) {
    if (found == followed_.end()) return;
    followed_.erase(found);
    forget_unused_name(gpid.app_id);
  } else if (found != followed_.end()) {
    found->second.primary = primary;
  } else {
    auto metrics = std::make_shared<ReplicaMetrics>(operations_.metrics, gpid, metrics_, clock_);
    followed_.emplace(gpid,
                      Followed{primary, std::make_shared<const SecondarySeat>(
                                            address().to_string(), later(), std::move(metrics))});
    table_names_[table.app_id] = table.name;
  }
}

// Precondition: mutex_ is held.
void ReplicaNode::forget_unused_name(int32_t app_id) {
  const auto is_of_table = [app_id](const auto& entry) { return entry.first.app_id == app_id; };
  if (std::ranges::none_of(replicas_, is_of_table) && std::ranges::none_of(followed_, is_of_table))
    table_names_.erase(app_id);
}

Result<void> ReplicaNode::release(Gpid gpid, bool delete_files) {
  std::lock_guard hosting(hosting_);
  std::shared_ptr<Replica> replica;
  {
    std::lock_guard lock(mutex_);
    if (auto entry = replicas_.extract(gpid)) replica = std::move(entry.mapped());
    forget_unused_name(gpid.app_id);
  }
  checkpoints_.forget(gpid);
  if (replica) {
    // A following recall, or the deletion of the files, needs the database closed.
    auto closed = replica->closed();
    replica->close();
    replica.reset();
    closed.wait();
  }
  return delete_files ? base::remove_tree(partition_dir(gpid)) : Result<void>();
}

Task<int64_t> ReplicaNode::back_up(backup::BackupRequest request,
                                   std::shared_ptr<backup::PartitionProgress> progress) {
  auto replica = CO_TRY(get(request.gpid));
  const auto dir = partition_dir(request.gpid);
  co_return co_await backups_.back_up(std::move(request), dir, std::move(replica),
                                      std::move(progress));
}

Task<> ReplicaNode::restore(backup::RestoreRequest request,
                            std::shared_ptr<backup::PartitionProgress> progress) {
  const auto dir = partition_dir(request.gpid);
  co_return co_await backups_.restore(std::move(request), dir, std::move(progress));
}

Task<> ReplicaNode::download_load(bulkload::LoadRequest request,
                                  std::shared_ptr<bulkload::LoadProgress> progress) {
  auto replica = CO_TRY(get(request.gpid));
  const auto dir = partition_dir(request.gpid);
  co_return co_await loads_.download(std::move(request), dir, std::move(replica),
                                     std::move(progress));
}

Task<> ReplicaNode::ingest_load(bulkload::LoadRequest request,
                                std::shared_ptr<bulkload::LoadProgress> progress) {
  auto replica = CO_TRY(get(request.gpid));
  const auto dir = partition_dir(request.gpid);
  co_return co_await loads_.ingest(std::move(request), dir, std::move(replica),
                                   std::move(progress));
}

Task<> ReplicaNode::clean_load(Gpid gpid) { co_return co_await loads_.clean(partition_dir(gpid)); }

CheckpointServer::Options ReplicaNode::checkpoint_server_options() {
  return {.last_decree =
              [this](Gpid gpid) {
                const auto replica = find(gpid);
                return replica ? std::optional(replica->last_decree()) : std::nullopt;
              },
          .address = [this] { return address(); },
          .limits = backups_.limits_of_sends(),
          .on_failpoint = options_.on_failpoint};
}

Task<int64_t> ReplicaNode::prepare_checkpoint(Gpid gpid) {
  auto replica = CO_TRY(get(gpid));
  co_return co_await checkpoints_.make(gpid, partition_dir(gpid) + "/data",
                                       [replica = std::move(replica)](const std::string& path) {
                                         return replica->checkpoint(path);
                                       });
}

void ReplicaNode::duplicate(Gpid gpid, std::vector<duplication::Assignment> assignments) {
  if (std::ranges::all_of(assignments, &duplication::Assignment::ships)) checkpoints_.remove(gpid);
  duplications_.duplicate(gpid, std::move(assignments));
}

Task<> ReplicaNode::fetch_checkpoint(duplication::CheckpointRequest request,
                                     std::shared_ptr<duplication::CheckpointProgress> progress) {
  const auto dir = partition_dir(request.gpid);
  co_return co_await fetcher_.fetch(std::move(request), dir, std::move(progress));
}

void ReplicaNode::apply_envs(const HostedTable& table) {
  {
    std::lock_guard lock(mutex_);
    if (auto name = table_names_.find(table.app_id); name != table_names_.end())
      name->second = table.name;
  }
  for (int32_t index = 0; index < table.partition_count; ++index)
    if (auto replica = find({table.app_id, index})) {
      replica->apply_envs(table.envs, table.partition_count);
      replica->set_atomic_idempotent(table.atomic_idempotent);
      compactions_.consider(std::move(replica));
    }
}

std::vector<duplication::Progress> ReplicaNode::duplication_progress(Gpid gpid) const {
  std::vector<duplication::Progress> list;
  for (auto& state : duplications_.duplications(gpid)) list.push_back(std::move(state.progress));
  return list;
}

CompactionState ReplicaNode::compaction_state(Gpid gpid) const {
  auto replica = find(gpid);
  return replica ? replica->compaction_state() : CompactionState::kIdle;
}

// On the pool: a disk that hangs must not block the node's thread.
void ReplicaNode::answer_disk_info(net::IncomingCall call) {
  auto request = wire::decode_body<wire::query_disk_info_request>(call.body());
  if (!request) return call.reply(ErrorCode::kInvalidParameters);
  HeldPartitions partitions;
  {
    std::lock_guard lock(mutex_);
    const auto is_wanted = [&](Gpid gpid) {
      return request->app_name.empty() || table_names_.at(gpid.app_id) == request->app_name;
    };
    for (const auto& [gpid, replica] : replicas_)
      if (is_wanted(gpid)) partitions.primaries.push_back(gpid);
    for (const auto& [gpid, followed] : followed_)
      if (is_wanted(gpid)) partitions.secondaries.push_back(gpid);
  }
  if (!request->app_name.empty() && partitions.primaries.empty() &&
      partitions.secondaries.empty()) {
    wire::query_disk_info_response response;
    response.err.code = ErrorCode::kObjectNotFound;
    return call.reply(ErrorCode::kOk, wire::encode_body(response));
  }
  pool_.post([call = std::move(call), data_dir = options_.data_dir,
              partitions = std::move(partitions)]() mutable {
    call.reply(ErrorCode::kOk, wire::encode_body(disk_info_of(data_dir, partitions)));
  });
}

}  // namespace pegmove::server::replica
