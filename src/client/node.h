// Calls to one node, meta or replica server, that are not about rows.
#pragma once

#include <string>
#include <vector>

#include "client/administration.h"
#include "client/client.h"
#include "wire/error_code.h"

namespace pegmove::client {

// Runs one of the server's remote commands ("help" lists them) and returns the text of its answer,
// also when it does not know the command or refuses it. A command may change the server; it may run
// twice when the connection breaks and the caller tries again. Errors: kUnreachable, kTimeout, and
// what the server answers instead of a text; all name the node. Pegasus:
// src/remote_cmd/remote_command.cpp.
Task<std::string> remote_command(Client& client, net::HostPort node, std::string command,
                                 std::vector<std::string> arguments, Deadline deadline);

// The disks of a replica server, with the partitions on them: of one table, or of all when `table`
// is empty. Errors: as above; kNotFound when the node has no partition of the table. Pegasus:
// replica_stub::on_query_disk_info in src/replica/replica_stub.cpp.
Task<NodeDisks> query_disk_info(Client& client, net::HostPort node, std::string table,
                                Deadline deadline);

// A read, or a remove, of a row that nobody has: it finds out whether this server serves clients.
struct RowProbe {
  Gpid partition{};
  std::string hash_key{};          // of the partition; the sort key is empty
  bool removes = false;            // a write, which takes a decree; primaries only
  bool is_backup_request = false;  // secondaries answer it, too
};
// Sends it once: without a repetition, and without asking where the partition is. Returns the
// RPC-level error: kOk when it was carried out, kInvalidState when the table's envs deny it or the
// server is not the one for it. Errors: kUnreachable, kTimeout; what the storage answers but "not
// found". All name the node.
Task<wire::ErrorCode> probe_row(Client& client, net::HostPort node, RowProbe probe,
                                Deadline deadline);

}  // namespace pegmove::client
