#include "apps/process_ports.h"

#include "spark/spark_units.h"

namespace pegmove::apps {

ProcessPorts::ProcessPorts(CommandRun& run)
    : run_(run),
      ports_{
          .clock = run.clock(),
          .stop = run.stop(),
          .connect = [&run](std::string cluster) { return run.connect(std::move(cluster)); },
          .open_store = [this](const std::string& name,
                               int calls) { return open_store(name, calls); },
          .make_unit_engine =
              [this](const migration::SplitRequest& request) { return make_unit_engine(request); },
          .timeout = run.timeout(),
          .version = PEGMOVE_VERSION} {}

Result<std::optional<blockstore::AsyncStore>> ProcessPorts::open_store(const std::string& name,
                                                                       int calls) {
  stores_.push_back(TRY(BackupStores::open(run_, calls)));
  return stores_.back()->find(name);
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
