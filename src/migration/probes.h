// The questions of the preflight to one side. All of them only read.
#pragma once

#include "client/table.h"
#include "migration/preflight.h"

namespace pegmove::migration {

struct ProbeOptions {
  std::string table;
  async::milliseconds timeout;  // of one question, at most
};

struct SideLook {
  SideFacts facts;
  std::shared_ptr<client::Cluster> cluster;
  std::shared_ptr<client::Table> table;
};

// Asks the meta servers for the table, the nodes and the duplications; each replica server for its
// version, clock, configuration and data versions; and each partition for one row.
Routine<> look_at(Side side, ProbeOptions options, SideLook& look);

// Its part for one server; `app_id` 0: no table. Asks no more when the server does not answer.
Routine<> probe_node(client::Client& client, net::HostPort node, int32_t app_id,
                     async::milliseconds timeout, NodeFacts& facts);
// Its part for one partition: whether it has a row. Stops at the first.
Routine<> probe_rows(client::Table& table, int32_t index, async::milliseconds timeout,
                     PartitionFacts& facts);

// A replica server that is of a release before MAJOR.MINOR, or may be, since it does not tell: its
// address, and which of the two. Errors: those of asking which servers there are.
Task<std::optional<std::string>> find_older_server(client::Cluster& cluster, int major, int minor,
                                                   async::milliseconds timeout);

// The version of a table's values: 0 or 1, on all of its replicas. Errors: kNotFound, when no
// living server has any; kUnsupported, when they differ; kUnreachable and kProtocol, naming the
// server.
Task<int> data_version_of(client::Cluster& cluster, int32_t app_id, Deadline deadline);

}  // namespace pegmove::migration
