#include "bench_cluster.h"

#include <nlohmann/json.hpp>

#include "process_usage.h"

namespace pegmove::bench {

Result<std::unique_ptr<BenchCluster>> BenchCluster::start(std::string pegmove, std::string folder,
                                                          std::string name, std::string config,
                                                          const std::vector<std::string>& more,
                                                          int meta_port) {
  std::unique_ptr<BenchCluster> cluster(new BenchCluster);
  cluster->pegmove_ = pegmove;
  cluster->data_ = folder + "/" + name;
  std::vector<std::string> words{pegmove,
                                 "cluster",
                                 "start",
                                 "--name",
                                 name,
                                 "--meta-port",
                                 std::to_string(meta_port),
                                 "--replica-servers",
                                 "2",
                                 "--data",
                                 cluster->data_,
                                 "--detach"};
  if (!config.empty()) words.insert(words.end(), {"--config", config});
  words.insert(words.end(), more.begin(), more.end());
  TRY(run_process(words));
  auto status =
      TRY(run_process({pegmove, "cluster", "status", "--data", cluster->data_, "--json"}));
  auto json = nlohmann::json::parse(status.output);
  cluster->meta_ = json["meta"];
  cluster->pid_ = json["pid"];
  return cluster;
}

BenchCluster::~BenchCluster() { (void)run_process({pegmove_, "cluster", "stop", "--data", data_}); }

}  // namespace pegmove::bench
