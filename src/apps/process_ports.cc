#include "apps/process_ports.h"

#include <fmt/format.h>

#include <climits>
#include <filesystem>

#include "apps/runs.h"
#include "base/child_process.h"
#include "base/local_file.h"
#include "spark/spark_units.h"

namespace pegmove::apps {
namespace {

// A guard connects to two clusters and to ZooKeeper.
constexpr std::chrono::milliseconds kGuardStarts{30'000};

Routine<bool> close_zookeeper(routes::ZooKeeper& nodes) {
  nodes.stop();
  co_await nodes.join();  // no result
  co_return true;
}

// Beside the journal.
std::string certificates_folder(const std::string& state) {
  const auto path = journal_path(state);
  const auto absolute = path ? base::absolute_path(*path) : Result<std::string>(path);
  return absolute ? std::filesystem::path(*absolute).parent_path() / "certificates" : "";
}

}  // namespace

ProcessPorts::ProcessPorts(CommandRun& run, std::string state,
                           std::vector<std::string> guard_options)
    : run_(run),
      state_(std::move(state)),
      guard_options_(std::move(guard_options)),
      ports_{
          .clock = run.clock(),
          .stop = run.stop(),
          .connect = [&run](std::string cluster) { return run.connect(std::move(cluster)); },
          .open_store = [this](const std::string& name,
                               int calls) { return open_store(name, calls); },
          .make_unit_engine =
              [this](const migration::SplitRequest& request) { return make_unit_engine(request); },
          .open_nodes = [this](const std::string& servers) { return open_nodes(servers); },
          .start_guard = [this](const std::string& id) { return start_guard(id); },
          .timeout = run.timeout(),
          .version = PEGMOVE_VERSION,
          .certificates = certificates_folder(state_)} {}

Result<std::optional<blockstore::AsyncStore>> ProcessPorts::open_store(const std::string& name,
                                                                       int calls) {
  stores_.push_back(TRY(BackupStores::open(run_, calls)));
  return stores_.back()->find(name);
}

ProcessPorts::~ProcessPorts() {
  for (const auto& [servers, nodes] : zookeepers_) run_.wait_for(close_zookeeper(*nodes));
}

Result<routes::Nodes*> ProcessPorts::open_nodes(const std::string& servers) {
  auto& nodes = zookeepers_[servers];
  if (!nodes) {
    auto places = net::parse_host_port_list(servers);
    if (!places) {
      zookeepers_.erase(servers);
      return fail(std::move(places).error().with_context("--zookeeper"));
    }
    nodes = std::make_unique<routes::ZooKeeper>(
        run_.context().get_executor(), run_.clock(),
        routes::ZooKeeperOptions{.servers = *std::move(places)}, Logger("routes"));
    nodes->start(nullptr);
  }
  return nodes.get();
}

// It blocks, before anything is fenced.
Result<void> ProcessPorts::start_guard(const std::string& run) const {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail(Code::kIo, "this program does not find itself: " + error.message());
  std::vector<std::string> words{program.string(), "guard", run};
  if (!state_.empty()) words.insert(words.end(), {"--state", state_});
  if (!run_.config().path().empty()) words.insert(words.end(), {"--config", run_.config().path()});
  words.insert(words.end(), guard_options_.begin(), guard_options_.end());
  auto guard = TRY(in_context(base::ChildProcess::start(words, {.outlives_caller = true}),
                              "starting the guard of the cutover"));
  const auto line = TRY(in_context(guard.next_line({.limit = kGuardStarts}),
                                   "the guard of the cutover has not started"));
  if (line && line->starts_with("guarding")) return {};
  return fail(Code::kRefused, fmt::format("the guard of the cutover has not started: {}",
                                          line.value_or("it ended")));
}

// The block services that the executors need.
Result<std::unique_ptr<migration::UnitEngine>> ProcessPorts::make_unit_engine(
    const migration::SplitRequest& request) {
  if (request.spark.master.empty()) return nullptr;
  auto providers = TRY(block_services(run_.config().sections()));
  std::erase_if(providers, [&](const auto& each) {
    return each.first != request.from_store && each.first != request.to_store;
  });
  return std::make_unique<spark::SparkUnits>(std::move(providers), spark_pool_);
}

}  // namespace pegmove::apps
