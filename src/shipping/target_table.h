// The table of another cluster that DUPLICATE requests go to: which server has which partition.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/event.h"
#include "client/cluster.h"

namespace pegmove::shipping {

struct TargetPartition {
  int32_t index = 0;  // as it was asked for
  Gpid gpid;          // where its requests go: as long as it is not split off, its parent's
  net::HostPort primary;
  net::Address address;                 // of the primary
  std::vector<net::HostPort> replicas;  // the servers that carry writes out, the primary first
};

// Asks the cluster for all partitions once and at each refresh(), and for single ones that are in
// doubt, as real sources do. Unlike client::PartitionRouter it needs nothing of the cluster but
// that answer, and accepts a table that was dropped and created again. All on the client's
// executor; it must not outlive the client.
class TargetTable {
 public:
  TargetTable(client::Client& client, std::string remote, std::vector<net::HostPort> metas,
              std::string table);

  // Errors: those of client::Cluster::table_config(). May be repeated, and called at the same time.
  Task<int32_t> partition_count();
  // Errors: also kRefused when the table has no longer `count` partitions: keys belong to others
  // then; kUnreachable when the partition has no primary now.
  Task<TargetPartition> partition(int32_t index, int32_t count);
  // Asks for all partitions again, if they were ever asked for: so another count or other servers
  // are noticed without an error. What is known counts until the cluster answers. Errors: as above.
  Task<> refresh();
  // The partition, or its parent that serves it, may have moved: the cluster is asked about both
  // before it is used again.
  void doubt(int32_t index);

  std::string place(int32_t index) const;  // for people: "partition 3 of table 't' on cluster 'B'"

 private:
  struct Known {
    client::PartitionInfo info;
    net::Address address;  // port 0: there is no primary
    bool is_doubted = false;
  };
  Deadline deadline() const;
  Task<> ask_all();
  Task<> load();
  Task<> ask_one(int32_t index);
  int32_t served_by(int32_t index) const;
  Routine<Known> known(client::PartitionInfo info);

  client::Client& client_;
  std::string remote_;
  std::string table_;
  bool has_metas_;
  client::Cluster cluster_;
  int32_t app_id_ = 0;
  std::vector<Known> partitions_;  // empty: not known
  bool asking_ = false;
  async::Event asked_;
};

}  // namespace pegmove::shipping
