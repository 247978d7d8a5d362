// The questions to both clusters before a run, asked once for all methods. All of them only read.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "client/table.h"
#include "inspect/inspection.h"

namespace pegmove::inspect {

// A cluster as somebody tried to reach it: one that cannot be reached is a finding like others.
struct Side {
  std::string word;  // as the user named it
  Result<std::shared_ptr<client::Cluster>> cluster;
};

// Which tables are looked at.
struct GatherOptions {
  std::string table;
  std::string to_table;
  async::milliseconds timeout;  // of one question, at most
};

struct Gathered {
  Inspection inspection{};
  std::shared_ptr<client::Cluster> source_cluster{}, target_cluster{};  // null: not reached
  std::shared_ptr<client::Table> source{}, target{};                    // null: not there
};

// Asks the meta servers of both sides for the table, the nodes and the duplications; each replica
// server for its version, clock, configuration and data versions; and each partition for one row.
// Writes nothing anywhere. Each question has its deadline (five seconds, or options.timeout when
// that is less; twice that for meta servers): what is not answered is noted as silent.
Routine<Gathered> gather(Side source, Side target, GatherOptions options);

// Its part for one server; `app_id` 0: no table. Asks no more when the server does not answer.
Routine<> probe_node(client::Client& client, net::HostPort node, int32_t app_id,
                     async::milliseconds timeout, NodeFacts& facts);

// A replica server that is of a release before MAJOR.MINOR, or may be, since it does not tell: its
// address, and which of the two. Errors: those of asking which servers there are.
Task<std::optional<std::string>> find_older_server(client::Cluster& cluster, int major, int minor,
                                                   async::milliseconds timeout);

// The version of a table's values: 0 or 1, on all of its replicas. Errors: kNotFound, when no
// living server has any; kUnsupported, when they differ; kUnreachable and kProtocol, naming the
// server.
Task<int> data_version_of(client::Cluster& cluster, int32_t app_id, Deadline deadline);

// True when both handles mean one and the same table, under whatever names their clusters were
// given.
bool is_same_table(client::Table& a, client::Table& b);

}  // namespace pegmove::inspect
