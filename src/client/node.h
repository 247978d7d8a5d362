// Calls to one node, meta or replica server, that are not about rows.
#pragma once

#include <string>
#include <vector>

#include "client/administration.h"
#include "client/client.h"

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

}  // namespace pegmove::client
