#include "splitter/residue_class_files.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/bytes.h"
#include "base/check.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "record/value.h"

namespace pegmove::splitter {
namespace {

std::unexpected<Error> wrong(const SourceRow& row, const std::string& what) {
  return fail(Code::kCorrupt, fmt::format("partition {} of the source: {}: key {}", row.partition,
                                          what, base::printable(row.key)));
}

}  // namespace

std::string unit_prefix(int number) {
  char text[16];
  std::snprintf(text, sizeof text, "u%04d", number);
  return text;
}

RowCounts& RowCounts::operator+=(const RowCounts& other) {
  read += other.read;
  written += other.written;
  bytes += other.bytes;
  expired += other.expired;
  filtered += other.filtered;
  foreign += other.foreign;
  return *this;
}

ResidueClassFiles::ResidueClassFiles(const SplitRules& rules, int32_t which, int number,
                                     const std::string& folder)
    : rules_(rules) {
  for (const auto partition : rules.shape.targets_of(which))
    targets_.emplace_back(partition, unit_prefix(number), folder, rules.most_file_bytes,
                          rules.for_old_servers);
}

void ResidueClassFiles::leave_foreign(std::string_view key) {
  constexpr size_t kMostKept = 500, kMostKeptBytes = 1 << 20;
  ++counts_.foreign.rows;
  if (foreign_.size() >= kMostKept || foreign_bytes_ + key.size() > kMostKeptBytes) return;
  foreign_bytes_ += key.size();
  foreign_.push_back({std::string(key)});
}

Result<void> ResidueClassFiles::add(const SourceRow& row, std::vector<FinishedFile>& finished) {
  if (row.key.size() < record::kHashKeyLengthSize) return {};  // the servers' own record
  ++counts_.read;
  const auto parts = record::split_key(row.key);
  if (!parts) return wrong(row, "a malformed key");
  const auto hash = record::raw_key_hash(*parts);
  if (record::partition_index(hash, rules_.shape.sources) != row.partition) {
    leave_foreign(row.key);
    return {};
  }
  const auto& filters = rules_.filters;
  if (!filters.hash_key.accepts(parts->hash_key) || !filters.sort_key.accepts(parts->sort_key)) {
    ++counts_.filtered;
    return {};
  }
  const auto value = record::decode_value(row.data_version, row.stored);
  if (!value) return wrong(row, "a value that is shorter than its header");
  if (record::is_expired(value->header.expire_ts, rules_.now_ts)) {
    ++counts_.expired;
    return {};
  }
  auto stored = row.stored;
  if (row.data_version != rules_.data_version) {
    converted_.clear();
    record::append_value_header(converted_, rules_.data_version, value->header.expire_ts,
                                value->header.timetag);
    converted_.append(value->user_data);
    stored = converted_;
  }
  ++counts_.written;
  counts_.bytes += int64_t(row.key.size() + stored.size());
  const auto target = record::partition_index(hash, rules_.shape.targets);
  const auto index = size_t(target / rules_.shape.residue_classes());
  base::check(index < targets_.size(),
              "a row of a residue class belongs to a target of that class");
  if (TRY(targets_[index].add(row.key, stored)))
    finished.push_back(base::checked(TRY(targets_[index].finish()), "a full file can be finished"));
  return {};
}

Result<void> ResidueClassFiles::finish(std::vector<FinishedFile>& finished) {
  for (auto& target : targets_)
    if (auto last = TRY(target.finish())) finished.push_back(*std::move(last));
  return {};
}

}  // namespace pegmove::splitter
