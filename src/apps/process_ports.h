// What this process provides to the methods: clusters, block stores, Spark.
#pragma once

#include <memory>
#include <vector>

#include "apps/backup_stores.h"
#include "async/pool.h"
#include "migration/ports.h"

namespace pegmove::apps {

class ProcessPorts {
 public:
  // The command run must outlive it.
  explicit ProcessPorts(CommandRun& run);

  const migration::Ports& get() const { return ports_; }

 private:
  Result<std::optional<blockstore::AsyncStore>> open_store(const std::string& name, int calls);
  Result<std::unique_ptr<migration::UnitEngine>> make_unit_engine(
      const migration::SplitRequest& request);

  CommandRun& run_;
  std::vector<std::unique_ptr<BackupStores>> stores_;  // each with a pool of its own
  async::Pool spark_pool_{1};
  migration::Ports ports_;
};

}  // namespace pegmove::apps
