// The embedded cluster, wired together: one meta server and several replica servers in one process,
// each with its own port and its own thread. Everything else accesses it through TCP only, like a
// real cluster.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/clock.h"
#include "backup/node_requests.h"
#include "base/log.h"
#include "blockstore/provider.h"
#include "net/address.h"
#include "server/replica/write_cost.h"

namespace pegmove::server::cluster {

struct EmbeddedClusterOptions {
  std::string name;
  std::string data_dir;  // must exist; meta/ and replica0/, replica1/, ... are created in it
  uint32_t listen_ipv4 = 0x7f000001;
  uint16_t meta_port = 0;     // 0: a free one
  uint16_t replica_port = 0;  // of the first replica server, the others follow; 0: free ones
  int replica_servers = 1;
  bool sync_writes = false;
  size_t max_request_size = 1 << 20;  // [replication] max_allowed_write_size; 0: no limit
  size_t max_connections = 4096;      // [network] max_connections: of each server
  // [duplication-group]: the ids (1 to 127) of clusters by name, including this one's; empty: none.
  std::map<std::string, uint8_t> duplication_group = {};
  // [pegasus.clusters]: the meta servers of other clusters by name, to which tables may be
  // duplicated. Their host names are looked up when they are needed.
  std::map<std::string, std::vector<net::HostPort>> clusters = {};
  // Refused DUPLICATE requests are answered with an error that sources repeat; a real one aborts on
  // the usual error.
  bool refuses_duplicates_for_now = false;
  blockstore::Providers providers = {};  // [block_service.NAME]; none: no backups
  std::string cold_backup_root = {};     // the cluster's folder in them; empty: its name
  backup::FailpointListener on_failpoint = {};
  bool backups_never_end = false;  // for tests: as on real clusters (meta/backup/backup_context.h)
  // For tests and rehearsals: writes take as long as in a real cluster.
  std::optional<replica::WriteCost> write_cost = {};
};

class EmbeddedCluster {
 public:
  // Opens the data and listens. Errors name the port, the folder or the file.
  static Result<std::unique_ptr<EmbeddedCluster>> start(EmbeddedClusterOptions options,
                                                        Clock& clock);
  // Refuses new requests, finishes those under way, closes the data.
  ~EmbeddedCluster();

  net::Address meta_address() const;
  std::vector<net::Address> replica_addresses() const;

 private:
  struct Parts;
  explicit EmbeddedCluster(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace pegmove::server::cluster
