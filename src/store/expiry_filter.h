// Drops expired rows while RocksDB compacts.
#pragma once

#include <rocksdb/compaction_filter.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

namespace pegmove::store {

// Makes a filter for each compaction, with the time of its start. The filter looks at the value
// header alone. It keeps keys shorter than two bytes, values without a whole header, and everything
// until set_data_version() was called. Safe from any thread, as `unix_seconds` must be.
// Pegasus: src/server/key_ttl_compaction_filter.h.
class ExpiryFilterFactory : public rocksdb::CompactionFilterFactory {
 public:
  explicit ExpiryFilterFactory(std::function<int64_t()> unix_seconds);

  void set_data_version(int data_version) { data_version_ = data_version; }

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& context) override;
  // Stands in the OPTIONS file; Pegasus's own name, so that its servers find what they expect.
  const char* Name() const override { return "KeyWithTTLCompactionFilterFactory"; }

 private:
  static constexpr int kUnknown = -1;  // a version that no value has
  std::function<int64_t()> unix_seconds_;
  std::atomic<int> data_version_ = kUnknown;
};

}  // namespace pegmove::store
