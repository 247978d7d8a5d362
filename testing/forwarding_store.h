// A block store that forwards every call to another one, so that tests can override single calls.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "blockstore/block_store.h"

namespace pegmove::testing {

class ForwardingStore : public blockstore::BlockStore {
 public:
  explicit ForwardingStore(std::shared_ptr<BlockStore> store) : store_(std::move(store)) {}

  std::string description() const override { return store_->description(); }
  size_t chunk_bytes() const override { return store_->chunk_bytes(); }
  Result<std::vector<blockstore::Entry>> list(const std::string& path) override {
    return store_->list(path);
  }
  Result<blockstore::Entry> stat(const std::string& path) override { return store_->stat(path); }
  Result<std::string> read(const std::string& path, int64_t offset, size_t size) override {
    return store_->read(path, offset, size);
  }
  Result<std::unique_ptr<blockstore::Upload>> create(const std::string& path) override {
    return store_->create(path);
  }
  Result<std::unique_ptr<blockstore::Upload>> take(const std::string& local_path,
                                                   const std::string& path) override {
    return store_->take(local_path, path);
  }
  Result<std::unique_ptr<blockstore::Proof>> prove(const std::string& path) override {
    return store_->prove(path);
  }
  Result<void> remove(const std::string& path) override { return store_->remove(path); }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return store_->rename(from, to);
  }
  std::unique_ptr<blockstore::BlockStore> without_sidecars() override {
    return store_->without_sidecars();
  }
  Result<void> write_sidecar(const std::string& path, const std::string& md5) override {
    return store_->write_sidecar(path, md5);
  }
  void stop() override { store_->stop(); }

 private:
  std::shared_ptr<BlockStore> store_;
};

}  // namespace pegmove::testing
