// The questions to both clusters before a run, asked once for all methods. All are read-only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "client/table.h"
#include "inspect/inspection.h"
#include "inspect/server_checks.h"

namespace pegmove::inspect {

// A cluster, or why it could not be reached: that is a finding like others.
struct Side {
  std::string word;  // as the user gave it
  Result<std::shared_ptr<client::Cluster>> cluster;
};

// The tables to inspect.
struct GatherOptions {
  std::string table;
  std::string to_table;
  async::milliseconds timeout;  // of one question, at most
};

struct Gathered {
  Inspection inspection{};
  std::shared_ptr<client::Cluster> source_cluster{}, target_cluster{};  // null: not reached
  std::shared_ptr<client::Table> source{}, target{};                    // null: does not exist
};

// Asks the meta servers of both sides for the table, the nodes and the duplications; each replica
// server for its version, clock, configuration and data versions; and each partition for its first
// rows.
// Read-only. Each question has its deadline (five seconds, or options.timeout when that is less;
// twice that for meta servers): a question without answer is listed in `silent`.
Routine<Gathered> gather(Side source, Side target, GatherOptions options);

// The questions to one server; `app_id` 0: no table. Stops when the server does not answer.
Routine<> probe_node(client::Client& client, net::HostPort node, int32_t app_id,
                     async::milliseconds timeout, NodeFacts& facts);

// Asks one more server of the target for its [duplication-group]. Errors: kRefused, why it must not
// be sent what the source's clients wrote (why_not_duplicate()), and what its INI file needs; those
// of the question.
Task<> check_duplication_group(client::Client& client, net::HostPort server, ClusterId source,
                               async::milliseconds timeout);

// Finds a replica server whose release is before MAJOR.MINOR, or unknown: returns its address, and
// which of the two. Errors: those of the list of servers.
Task<std::optional<std::string>> find_older_server(client::Cluster& cluster, int major, int minor,
                                                   async::milliseconds timeout);

// The version of a table's values: 0 or 1, on all of its replicas. Errors: kNotFound, when no live
// server has a replica; kUnsupported, when they differ; kUnreachable and kProtocol, naming the
// server.
Task<int> data_version_of(client::Cluster& cluster, int32_t app_id, Deadline deadline);

// True when both handles mean the same table, also when their clusters were given different names.
bool is_same_table(client::Table& a, client::Table& b);

}  // namespace pegmove::inspect
