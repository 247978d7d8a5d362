// The stores that the conformance suite runs on: a folder always, the others where the environment
// names them (tests/peers/peers.py run). "hdfs" has a name node on standby before the active one;
// "hdfskrb" is one that asks for Kerberos, and "hdfstoken" the same one with a delegation token;
// "s3host" is S3 with the bucket in the host's name, "s3tls" S3 over TLS.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "async/clock.h"
#include "blockstore/block_store.h"

namespace pegmove::conformance {

struct StoreKind {
  std::string name;
  bool renames;      // else rename() is kUnsupported
  bool has_folders;  // else a folder is there when something is in it
};
std::vector<StoreKind> store_kinds();
// Those of them that have these names.
std::vector<StoreKind> store_kinds_of(const std::vector<std::string>& names);
// Those that a proxy can stand in front of: folder, hdfs, s3.
std::vector<StoreKind> proxied_kinds();

// An empty store of its own: a folder or a prefix with a new name. `port`: of a proxy in front of
// the server; 0: none. `more`: further words of args. `full`: on a disk, or below a quota, of a few
// MiB. Errors: of open_store().
std::unique_ptr<blockstore::BlockStore> make_store(const StoreKind& kind, uint16_t port = 0,
                                                   const std::string& more = "", bool full = false);

// Where the server of a kind listens; 0 for a folder.
uint16_t server_port(const StoreKind& kind);

// A folder for files of this machine, removed at the end.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  const std::string& path() const { return path_; }
  std::string file(const std::string& name, std::string_view bytes) const;  // writes it

 private:
  std::string path_;
};

std::string read_local(const std::string& path);
std::string random_bytes(size_t size, uint32_t seed);

}  // namespace pegmove::conformance
