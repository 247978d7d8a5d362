// The block stores in the configuration of a role, each opened at its first use.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "blockstore/provider.h"

namespace pegmove::blockstore {

// Safe from any thread. The clock must outlive it and the stores.
class StoreSet {
 public:
  StoreSet(Providers providers, const Clock& clock)
      : providers_(std::move(providers)), clock_(clock) {}

  const Provider* find(const std::string& name) const {
    auto found = providers_.find(name);
    return found == providers_.end() ? nullptr : &found->second;
  }
  // Shared by all who use it. Errors: kNotFound, naming the configured ones; those of open_store().
  Result<std::shared_ptr<BlockStore>> get(const std::string& name);
  // Calls of all stores end with kInterrupted.
  void stop();

 private:
  Providers providers_;
  const Clock& clock_;
  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<BlockStore>> opened_;
  bool is_stopped_ = false;
};

}  // namespace pegmove::blockstore
