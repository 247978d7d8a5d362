#include "store/expiry_filter.h"

#include <string>
#include <utility>

#include "record/expiry.h"
#include "record/key.h"
#include "record/value.h"

namespace pegmove::store {
namespace {

class ExpiryFilter : public rocksdb::CompactionFilter {
 public:
  ExpiryFilter(int data_version, uint32_t now_ts) : data_version_(data_version), now_ts_(now_ts) {}

  bool Filter(int /*level*/, const rocksdb::Slice& key, const rocksdb::Slice& value,
              std::string* /*new_value*/, bool* /*value_changed*/) const override {
    if (key.size() < record::kHashKeyLengthSize) return false;
    const auto decoded = record::decode_value(data_version_, value.ToStringView());
    return decoded && record::is_expired(decoded->header.expire_ts, now_ts_);
  }
  const char* Name() const override { return "KeyWithTTLCompactionFilter"; }

 private:
  int data_version_;
  uint32_t now_ts_;
};

}  // namespace

ExpiryFilterFactory::ExpiryFilterFactory(std::function<int64_t()> unix_seconds)
    : unix_seconds_(std::move(unix_seconds)) {}

std::unique_ptr<rocksdb::CompactionFilter> ExpiryFilterFactory::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context& /*context*/) {
  return std::make_unique<ExpiryFilter>(data_version_, record::pegasus_seconds(unix_seconds_()));
}

}  // namespace pegmove::store
