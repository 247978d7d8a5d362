// What this process provides to the methods: clusters, block stores, ZooKeeper, Spark, guards.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apps/backup_stores.h"
#include "async/pool.h"
#include "migration/ports.h"
#include "routes/zookeeper.h"

namespace pegmove::apps {

class ProcessPorts {
 public:
  // The command run must outlive it. For guards: `state`, the journal ("": the default), and
  // further options.
  explicit ProcessPorts(CommandRun& run, std::string state = "",
                        std::vector<std::string> guard_options = {});
  ~ProcessPorts();

  const migration::Ports& get() const { return ports_; }

 private:
  Result<std::optional<blockstore::AsyncStore>> open_store(const std::string& name, int calls);
  Result<std::unique_ptr<migration::UnitEngine>> make_unit_engine(
      const migration::SplitRequest& request);

  Result<routes::Nodes*> open_nodes(const std::string& servers);
  Result<void> start_guard(const std::string& run) const;

  CommandRun& run_;
  const std::string state_;
  const std::vector<std::string> guard_options_;
  std::map<std::string, std::unique_ptr<routes::ZooKeeper>> zookeepers_;  // by their servers
  std::vector<std::unique_ptr<BackupStores>> stores_;  // each with a pool of its own
  async::Pool spark_pool_{1};
  migration::Ports ports_;
};

}  // namespace pegmove::apps
