// The stores that the conformance suite runs on: a folder always, the others where the environment
// names them (tests/peers/peers.py run).
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

// An empty store of its own: a folder or a prefix with a new name. `port`: of a proxy in front of
// the server; 0: none. `more`: further words of args.
std::unique_ptr<blockstore::BlockStore> make_store(const StoreKind& kind, uint16_t port = 0,
                                                   const std::string& more = "");

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
