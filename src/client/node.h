// Calls to one node, meta or replica server, that are not about rows.
#pragma once

#include <string>
#include <vector>

#include "client/administration.h"
#include "client/client.h"

namespace pegmove::client {

// Has the server run one of its remote commands ("help" lists them) and returns the text that it
// answers: of commands that it does not know, or refuses, too. A command may change the server; it
// may run twice when the connection breaks and the caller tries again.
// Errors: kUnreachable, kTimeout, and what the server answers instead of a text; all name the node.
// Pegasus: src/remote_cmd/remote_command.cpp.
Task<std::string> remote_command(Client& client, net::HostPort node, std::string command,
                                 std::vector<std::string> arguments, Deadline deadline);

// The disks of a replica server, with the partitions on them: of one table, or of all when `table`
// is empty. Errors: as above; kNotFound when the node has nothing of the table.
// Pegasus: replica_stub::on_query_disk_info in src/replica/replica_stub.cpp.
Task<NodeDisks> query_disk_info(Client& client, net::HostPort node, std::string table,
                                Deadline deadline);

}  // namespace pegmove::client
