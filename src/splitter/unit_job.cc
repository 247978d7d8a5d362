#include "splitter/unit_job.h"

#include <algorithm>
#include <cstdio>

#include "base/bytes.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "record/value.h"

namespace pegmove::splitter {
namespace {

std::string prefix_of(int number) {
  char text[16];
  std::snprintf(text, sizeof text, "u%04d", number);
  return text;
}

}  // namespace

RowCounts& RowCounts::operator+=(const RowCounts& other) {
  read += other.read;
  written += other.written;
  bytes += other.bytes;
  expired += other.expired;
  misplaced += other.misplaced;
  filtered += other.filtered;
  return *this;
}

UnitJob::UnitJob(const SplitRules& rules, Unit unit, int number,
                 std::vector<std::unique_ptr<CheckpointRows>> sources, std::string folder,
                 size_t readahead_bytes)
    : rules_(rules),
      unit_(std::move(unit)),
      sources_(std::move(sources)),
      source_partitions_(rules.shape.sources_of(unit_.which)),
      readahead_bytes_(readahead_bytes) {
  for (const auto partition : rules.shape.targets_of(unit_.which))
    targets_.emplace_back(partition, prefix_of(number), folder, rules.most_file_bytes);
}

bool UnitJob::goes_later(size_t a, size_t b) const {
  return sources_[a]->key() > sources_[b]->key();
}

void UnitJob::push(size_t source) {
  heap_.push_back(source);
  std::ranges::push_heap(heap_, [this](size_t a, size_t b) { return goes_later(a, b); });
}

// From the start, or behind the last row that was taken.
Result<void> UnitJob::begin() {
  heap_.clear();
  for (size_t i = 0; i < sources_.size(); ++i) {
    auto& rows = *sources_[i];
    rows.begin(has_last_key_ ? last_key_ : unit_.from, unit_.to, readahead_bytes_);
    if (has_last_key_ && rows.valid() && rows.key() == last_key_) rows.next();
    if (rows.valid())
      push(i);
    else
      TRY(rows.status());
  }
  begun_ = true;
  return {};
}

// Past the row at the top of the heap.
Result<void> UnitJob::advance() {
  std::ranges::pop_heap(heap_, [this](size_t a, size_t b) { return goes_later(a, b); });
  const auto source = heap_.back();
  heap_.pop_back();
  auto& rows = *sources_[source];
  rows.next();
  if (!rows.valid()) return rows.status();
  push(source);
  return {};
}

Result<std::vector<FinishedFile>> UnitJob::step(int64_t most_rows) {
  std::vector<FinishedFile> finished;
  if (!begun_) TRY(begin());
  for (int64_t rows = 0; rows < most_rows && finished.empty() && !heap_.empty(); ++rows) {
    TRY(take_row(finished));
    last_key_.assign(sources_[heap_.front()]->key());
    has_last_key_ = true;
    if (auto advanced = advance(); !advanced) {
      begun_ = false;
      if (finished.empty()) return fail(std::move(advanced.error()));
      return finished;  // the next call meets the error again, if it is still there
    }
  }
  if (!heap_.empty() || done_) return finished;
  for (auto& target : targets_)
    if (auto last = TRY(target.finish())) finished.push_back(*std::move(last));
  done_ = true;
  return finished;
}

Result<void> UnitJob::take_row(std::vector<FinishedFile>& finished) {
  const auto source = heap_.front();
  const auto& rows = *sources_[source];
  const auto key = rows.key();
  if (key.size() < record::kHashKeyLengthSize) return {};  // the servers' own record
  ++counts_.read;
  const auto parts = record::split_key(key);
  if (!parts)
    return fail(Code::kCorrupt,
                "partition " + std::to_string(source_partitions_[source]) +
                    " of the backup has a key that is none: " + base::printable(key));
  const auto hash = record::raw_key_hash(*parts);
  if (record::partition_index(hash, rules_.shape.sources) != source_partitions_[source]) {
    ++counts_.misplaced;
    return {};
  }
  const auto& filters = rules_.filters;
  if (!filters.hash_key.accepts(parts->hash_key) || !filters.sort_key.accepts(parts->sort_key)) {
    ++counts_.filtered;
    return {};
  }
  auto stored = rows.value();
  const auto value = record::decode_value(rows.data_version(), stored);
  if (!value)
    return fail(Code::kCorrupt, "partition " + std::to_string(source_partitions_[source]) +
                                    " of the backup: the value of key " + base::printable(key) +
                                    " is shorter than its header");
  if (record::is_expired(value->header.expire_ts, rules_.now_ts)) {
    ++counts_.expired;
    return {};
  }
  if (rows.data_version() != rules_.data_version) {
    converted_.clear();
    record::append_value_header(converted_, rules_.data_version, value->header.expire_ts,
                                value->header.timetag);
    converted_.append(value->user_data);
    stored = converted_;
  }
  ++counts_.written;
  counts_.bytes += int64_t(key.size() + stored.size());
  const auto target = record::partition_index(hash, rules_.shape.targets);
  const auto index = size_t(target / rules_.shape.classes());
  if (auto whole = TRY(targets_[index].add(key, stored))) finished.push_back(*std::move(whole));
  return {};
}

}  // namespace pegmove::splitter
