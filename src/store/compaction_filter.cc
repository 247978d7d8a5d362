#include "store/compaction_filter.h"

#include <string>
#include <utility>

#include "record/expiry.h"
#include "record/key.h"
#include "record/value.h"

namespace pegmove::store {
namespace {

class TableFilter : public rocksdb::CompactionFilter {
 public:
  TableFilter(int data_version, uint32_t now, std::shared_ptr<const CompactionPolicy> policy)
      : data_version_(data_version), now_(now), policy_(std::move(policy)) {}

  bool Filter(int /*level*/, const rocksdb::Slice& key, const rocksdb::Slice& value,
              std::string* new_value, bool* value_changed) const override {
    const auto parts = record::split_key(key.ToStringView());
    const auto decoded = record::decode_value(data_version_, value.ToStringView());
    if (!parts || !decoded) return false;
    auto expire_ts = decoded->header.expire_ts;
    if (expire_ts == 0 && policy_->default_ttl_seconds > 0)
      expire_ts = now_ + policy_->default_ttl_seconds;
    if (!policy_->rules.empty()) {
      const auto verdict =
          policy_->rules.apply({parts->hash_key, parts->sort_key, expire_ts}, now_);
      if (verdict.drop) return true;
      expire_ts = verdict.expire_ts;
    }
    if (record::is_expired(expire_ts, now_)) return true;
    if (expire_ts == decoded->header.expire_ts) return false;
    new_value->clear();
    record::append_value_header(*new_value, data_version_, expire_ts, decoded->header.timetag);
    new_value->append(decoded->user_data);
    *value_changed = true;
    return false;
  }
  const char* Name() const override { return "KeyWithTTLCompactionFilter"; }

 private:
  int data_version_;
  uint32_t now_;
  std::shared_ptr<const CompactionPolicy> policy_;
};

}  // namespace

TableFilterFactory::TableFilterFactory(std::function<int64_t()> unix_seconds)
    : unix_seconds_(std::move(unix_seconds)), policy_(std::make_shared<CompactionPolicy>()) {}

void TableFilterFactory::set_policy(CompactionPolicy policy) {
  auto shared = std::make_shared<const CompactionPolicy>(std::move(policy));
  std::lock_guard lock(mutex_);
  policy_ = std::move(shared);
}

std::unique_ptr<rocksdb::CompactionFilter> TableFilterFactory::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context& /*context*/) {
  std::lock_guard lock(mutex_);
  return std::make_unique<TableFilter>(data_version_, record::pegasus_seconds(unix_seconds_()),
                                       policy_);
}

}  // namespace pegmove::store
