// The block stores of pegmove's own configuration, for the verbs that read them.
#pragma once

#include <optional>

#include "apps/command.h"
#include "blockstore/async_store.h"
#include "blockstore/store_set.h"

namespace pegmove::apps {

// Opens stores by name; calls run on a pool of its own. Must outlive the stores that it opened.
class BackupStores {
 public:
  // `threads`: the number of calls at the same time. Errors: kInvalidArgument, of block_services().
  static Result<std::unique_ptr<BackupStores>> open(CommandRun& run, int threads = 4);

  // Errors: kNotFound when the configuration has no [block_service.NAME]; of open_store().
  Result<blockstore::AsyncStore> get(const std::string& name);
  // nullopt when the configuration does not have it.
  Result<std::optional<blockstore::AsyncStore>> find(const std::string& name);
  // Ends calls that wait for the network.
  void stop() { stores_.stop(); }

  BackupStores(blockstore::Providers providers, Clock& clock, int threads)
      : clock_(clock), stores_(std::move(providers), clock), pool_(threads) {}

 private:
  Clock& clock_;
  blockstore::StoreSet stores_;
  async::Pool pool_;
};

}  // namespace pegmove::apps
