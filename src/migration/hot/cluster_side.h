// A side of a cutover: a table of a cluster, real or embedded, through its meta and replica
// servers.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "client/cluster.h"
#include "migration/hot/progress.h"
#include "migration/hot/side.h"

namespace pegmove::migration::hot {

// The decrees of the partitions, as their primaries know them, by partition. What a server says of
// partitions that it does not lead according to the view is ignored; partitions whose server does
// not answer, or does not have them, are missing. Errors: kUnsupported: a server does not know the
// question; kProtocol: it has answered nonsense; both name it.
Task<std::map<int32_t, ReplicaProgress>> primary_progress(client::Cluster& cluster, int32_t app_id,
                                                          TableView view, Deadline deadline);

// A hash key that no client has, of this partition.
std::string foreign_hash_key(int32_t partition, int32_t partition_count);

// Whether the cluster is an embedded one: its meta server knows a command that real ones lack.
// Errors: those of the question.
Task<bool> is_embedded(client::Cluster& cluster, Deadline deadline);

// All calls fail with kNotFound when the table was dropped, or dropped and created again.
class ClusterSide : public Side {
 public:
  // Asks for the table. Errors: kNotFound and those of Cluster.
  static Task<std::unique_ptr<ClusterSide>> open(std::shared_ptr<client::Cluster> cluster,
                                                 std::string table, bool is_embedded,
                                                 Deadline deadline);

  Task<TableView> view(Deadline deadline) override;
  Routine<ProbeAnswer> probe(int32_t partition, Member member, Probe probe,
                             Deadline deadline) override;
  Task<std::vector<PartitionProgress>> progress(TableView view, Shipping shipping,
                                                Deadline deadline) override;
  Task<> deny(std::string value, Deadline deadline) override;
  Task<> allow(Deadline deadline) override;
  Task<std::optional<std::string>> denied(Deadline deadline) override;
  async::milliseconds envs_act_within() const override;
  Task<std::vector<SideTime>> times(Deadline deadline) override;
  const std::string& name() const override { return name_; }

  client::Cluster& cluster() { return *cluster_; }
  const std::shared_ptr<client::Cluster>& shared_cluster() const { return cluster_; }
  const std::string& table() const { return table_; }
  int32_t app_id() const { return app_id_; }
  int32_t partition_count() const { return partition_count_; }

  ClusterSide(std::shared_ptr<client::Cluster> cluster, std::string table, bool is_embedded,
              int32_t app_id, int32_t partition_count);

 private:
  Task<std::map<int32_t, int64_t>> persisted(Shipping shipping, Deadline deadline);

  const std::shared_ptr<client::Cluster> cluster_;  // shared with the tables of the run
  const std::string table_;
  const bool is_embedded_;
  const int32_t app_id_;
  const int32_t partition_count_;
  const std::string name_;
};

}  // namespace pegmove::migration::hot
