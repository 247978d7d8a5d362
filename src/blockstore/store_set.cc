#include "blockstore/store_set.h"

#include <fmt/format.h>

namespace pegmove::blockstore {

Result<std::shared_ptr<BlockStore>> StoreSet::get(const std::string& name) {
  std::lock_guard lock(mutex_);
  if (auto opened = opened_.find(name); opened != opened_.end()) return opened->second;
  const auto* provider = find(name);
  if (!provider) {
    std::string known;
    for (const auto& [each, ignored] : providers_) known += (known.empty() ? "" : ", ") + each;
    return fail(Code::kNotFound,
                fmt::format("the configuration has no block service '{}'; {}", name,
                            known.empty() ? fmt::format("add a section [block_service.{}]", name)
                                          : "it has: " + known));
  }
  std::shared_ptr<BlockStore> store = TRY(open_store(*provider, clock_));
  if (is_stopped_) store->stop();
  opened_[name] = store;
  return store;
}

void StoreSet::stop() {
  std::lock_guard lock(mutex_);
  is_stopped_ = true;
  for (auto& [name, store] : opened_) store->stop();
}

}  // namespace pegmove::blockstore
