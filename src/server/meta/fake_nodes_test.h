// A meta server with nodes that carry out every call at once, and an inspectable disk for its
// store: for tests of many partitions, of when records are written, and of restarts.
#pragma once

#include <algorithm>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "async/context_thread.h"
#include "async/event.h"
#include "async/pool.h"
#include "meta_types.h"
#include "server/meta/meta_service.h"
#include "server/meta/store/sim_files_test.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"
#include "testing/test_folder.h"

namespace pegmove::server::meta {

// On the meta server's executor, except host() and release().
class FakeNodes : public NodePort {
 public:
  using Gate = std::function<Task<>(int32_t partition)>;

  // Awaited by each call, which fails with its error.
  Gate on_back_up = pass, on_restore = pass, on_download = pass, on_ingest = pass, on_clean = pass,
       on_fetch = pass;
  Gate on_keep_log = pass, on_checkpoint = pass;

  // On a thread of the pool.
  std::function<Result<void>(Gpid gpid, bool may_be_new)> on_host;
  std::function<void(Gpid gpid)> on_release;

  // Of one partition. It survives a restart of the meta server, as a node's files do.
  struct Duplicated {
    std::optional<int64_t> log;  // where it begins; nothing: no log is kept
    int64_t last_decree = 0;
    std::vector<duplication::Assignment> assignments;
    std::map<int32_t, int64_t> shipped;  // by id of the duplication
    std::string error, waits_for;
  };
  std::map<Gpid, Duplicated> duplicated;

  std::vector<meta_view::NodeAddress> addresses() const override {
    std::vector<meta_view::NodeAddress> nodes;
    for (uint16_t port : {1, 2})
      nodes.push_back({.address = wire::rpc_address::of(0x7F000001, port),
                       .host_port = wire::host_port::of("127.0.0.1", port)});
    return nodes;
  }
  Result<void> host(int, const wire::app_info& app, int32_t index, bool may_be_new) override {
    if (on_host) return on_host(Gpid{app.app_id, index}, may_be_new);
    return {};
  }
  Result<void> release(int, Gpid gpid, bool) override {
    if (on_release) on_release(gpid);
    return {};
  }
  bool serves(int, Gpid) const override { return true; }
  void set_secondaries(int, const wire::app_info&, int32_t, const std::vector<int32_t>&) override {}
  void apply_envs(const wire::app_info&) override {}
  wire::CompactionStatus compaction_status(int, Gpid) const override {
    return wire::CompactionStatus::kIdle;
  }
  Task<int64_t> back_up(int, backup::BackupRequest request,
                        std::shared_ptr<backup::PartitionProgress> progress) override {
    CO_TRY(co_await on_back_up(request.gpid.partition_index));
    progress->done_bytes = progress->all_bytes = 10;
    co_return 10;
  }
  Task<> restore(int, backup::RestoreRequest request,
                 std::shared_ptr<backup::PartitionProgress>) override {
    return on_restore(request.gpid.partition_index);
  }
  Task<> download_load(int, bulkload::LoadRequest request,
                       std::shared_ptr<bulkload::LoadProgress>) override {
    return on_download(request.gpid.partition_index);
  }
  Task<> ingest_load(int, bulkload::LoadRequest request,
                     std::shared_ptr<bulkload::LoadProgress>) override {
    return on_ingest(request.gpid.partition_index);
  }
  Task<> clean_load(int, Gpid gpid) override { return on_clean(gpid.partition_index); }
  Task<int64_t> keep_log(int, Gpid gpid) override {
    CO_TRY(co_await on_keep_log(gpid.partition_index));
    auto& partition = duplicated[gpid];
    if (!partition.log) partition.log = partition.last_decree;
    co_return *partition.log;
  }
  // As a node does: the log begins at the smallest confirmed decree.
  void duplicate(int, Gpid gpid, std::vector<duplication::Assignment> assignments) override {
    auto& partition = duplicated[gpid];
    if (assignments.empty()) partition.log.reset();
    for (const auto& each : assignments)
      if (!partition.log || each.confirmed_decree < *partition.log)
        partition.error = "the log begins behind the confirmed decree";
    if (!assignments.empty() && partition.log)
      partition.log = std::ranges::min(assignments, {}, &duplication::Assignment::confirmed_decree)
                          .confirmed_decree;
    partition.assignments = std::move(assignments);
  }
  std::vector<duplication::Progress> duplication_progress(int, Gpid gpid) const override {
    std::vector<duplication::Progress> all;
    const auto found = duplicated.find(gpid);
    if (found == duplicated.end()) return all;
    const auto& partition = found->second;
    for (const auto& each : partition.assignments) {
      duplication::Progress progress;
      progress.id = each.id;
      const auto shipped = partition.shipped.find(each.id);
      progress.shipped_decree = shipped == partition.shipped.end() ? 0 : shipped->second;
      progress.last_decree = partition.last_decree;
      progress.error = partition.error;
      progress.waits_for = partition.waits_for;
      all.push_back(std::move(progress));
    }
    return all;
  }
  Task<int64_t> prepare_checkpoint(int, Gpid gpid) override {
    CO_TRY(co_await on_checkpoint(gpid.partition_index));
    co_return duplicated[gpid].last_decree;
  }
  Task<> fetch_checkpoint(int, duplication::CheckpointRequest request,
                          std::shared_ptr<duplication::CheckpointProgress>) override {
    return on_fetch(request.gpid.partition_index);
  }
  void stop_transfers() override {}

 private:
  static Task<> pass(int32_t) { co_return Result<void>(); }
};

// Blocks the call for one partition until the test opens it. From any thread.
class TestGate {
 public:
  TestGate(asio::any_io_executor executor, int32_t partition)
      : executor_(std::move(executor)), partition_(partition) {}

  FakeNodes::Gate gate() {
    return [this](int32_t partition) { return pass(partition); };
  }
  void wait_until_reached() { reached_.wait(); }
  void open() {
    asio::post(executor_, [this] {
      is_open_ = true;
      opened_.notify_all();
    });
  }

 private:
  Task<> pass(int32_t partition) {
    if (partition != partition_) co_return Result<void>();
    if (!std::exchange(is_reached_, true)) reached_.count_down();
    while (!is_open_) co_await opened_.wait();  // no result
    co_return Result<void>();
  }

  asio::any_io_executor executor_;
  int32_t partition_;
  std::latch reached_{1};
  bool is_reached_ = false, is_open_ = false;  // on the executor, like the following members
  async::Event opened_;
};

// The meta server, on its own thread; its block service "local" is a folder. Its time moves only
// when the test moves it.
class MetaServer {
 public:
  ~MetaServer() { stop(); }

  void start() {
    auto state = MetaState::open(folder.path(), 2, disk->files());
    if (!state) throw std::runtime_error(state.error().to_string());
    std::filesystem::create_directories(store_dir());
    meta_ = std::make_unique<MetaService>(
        thread.executor(), std::move(*state), nodes, pool_,
        MetaOptions{.cluster_name = "test",
                    .listen = {0x7F000001, 0},
                    .backups = {.cold_backup_root = "test",
                                .providers = {{"local",
                                               {.name = "local",
                                                .type = "local_service",
                                                .args = store_dir()}}},
                                .on_failpoint = on_failpoint},
                    .duplication_group = {{"test", 1}, {"B", 2}, {"C", 3}, {"nowhere", 4}},
                    .clusters = {{"B", {{"b.example", 34601}}}, {"C", {{"c.example", 34601}}}},
                    .follower = follower},
        time, Logger());
    auto started = thread.wait_for(meta_->start());
    if (!started) throw std::runtime_error(started.error().to_string());
    client = std::make_unique<testing::TestClient>(meta_->address());
  }
  void stop() {
    if (!meta_) return;
    client.reset();
    thread.wait_for(end(*meta_));
    meta_.reset();
  }

  net::Address address() const { return meta_->address(); }
  std::string store_dir() const { return folder / "store"; }
  Deadline deadline() const { return client->deadline(); }
  client::Cluster& cluster() { return client->cluster(); }
  template <typename T>
  T must(Task<T> task) {
    return client->must(std::move(task));
  }
  // Polls until `holds` returns true.
  void wait_until(const std::function<bool()>& holds) {
    for (const auto end = deadline(); !holds();)
      if (end.passed(client->clock())) throw std::runtime_error("it does not end");
  }

  testing::TestFolder folder;
  testing::SimClock time;
  std::unique_ptr<SimDisk> disk = std::make_unique<SimDisk>();
  FakeNodes nodes;
  backup::FailpointListener on_failpoint = {};
  std::optional<FollowerPort> follower = {};
  async::ContextThread thread;
  std::unique_ptr<testing::TestClient> client;

 private:
  static Routine<bool> end(MetaService& meta) {
    meta.stop();
    co_await meta.join();  // no result
    co_return true;
  }

  async::Pool pool_{2};
  std::unique_ptr<MetaService> meta_;
};

}  // namespace pegmove::server::meta
