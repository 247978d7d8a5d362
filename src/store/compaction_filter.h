// What RocksDB's compactions do with the rows of a table: drop what has expired, stamp the table's
// default expiry on rows without one, and what the operator's rules say.
#pragma once

#include <rocksdb/compaction_filter.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "store/compaction_rules.h"

namespace pegmove::store {

struct CompactionPolicy {
  uint32_t default_ttl_seconds = 0;  // 0: rows without expiry stay so
  CompactionRules rules;
};

// Makes a filter for each compaction, with the time and the policy of its start. The filter keeps
// keys shorter than two bytes, values without a whole header, and everything until
// set_data_version() was called. Safe from any thread, as `unix_seconds` must be.
// Pegasus: src/server/key_ttl_compaction_filter.h.
class TableFilterFactory : public rocksdb::CompactionFilterFactory {
 public:
  explicit TableFilterFactory(std::function<int64_t()> unix_seconds);

  void set_data_version(int data_version) { data_version_ = data_version; }
  void set_policy(CompactionPolicy policy);

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& context) override;
  // Stands in the OPTIONS file; Pegasus's own name, so that its servers find what they expect.
  const char* Name() const override { return "KeyWithTTLCompactionFilterFactory"; }

 private:
  static constexpr int kUnknown = -1;  // a version that no value has
  std::function<int64_t()> unix_seconds_;
  std::atomic<int> data_version_ = kUnknown;
  std::mutex mutex_;
  std::shared_ptr<const CompactionPolicy> policy_;  // shared with the filters that are at work
};

}  // namespace pegmove::store
