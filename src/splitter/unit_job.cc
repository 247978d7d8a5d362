#include "splitter/unit_job.h"

#include <rocksdb/perf_level.h>

#include <algorithm>

namespace pegmove::splitter {
UnitJob::UnitJob(const SplitRules& rules, Unit unit, int number,
                 std::vector<std::unique_ptr<CheckpointRows>> sources, std::string folder,
                 size_t readahead_bytes)
    : unit_(std::move(unit)),
      sources_(std::move(sources)),
      source_partitions_(rules.shape.sources_of(unit_.which)),
      files_(rules, unit_.which, number, folder),
      readahead_bytes_(readahead_bytes),
      keys_(sources_.size()) {}

bool UnitJob::goes_later(size_t a, size_t b) const { return keys_[a] > keys_[b]; }

void UnitJob::push(size_t source) {
  keys_[source] = sources_[source]->key();
  heap_.push_back(source);
  std::ranges::push_heap(heap_, [this](size_t a, size_t b) { return goes_later(a, b); });
}

// From the start, or after the last row that was taken.
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

// The source at the top has moved, or is another one: moves it to its place in the heap.
void UnitJob::sink() {
  const auto source = heap_.front();
  size_t at = 0;
  for (size_t next = 1; next < heap_.size(); next = 2 * at + 1) {
    if (next + 1 < heap_.size() && goes_later(heap_[next], heap_[next + 1])) ++next;
    if (!goes_later(source, heap_[next])) break;
    heap_[at] = heap_[next];
    at = next;
  }
  heap_[at] = source;
}

// Moves past the row at the top of the heap.
Result<void> UnitJob::advance() {
  const auto source = heap_.front();
  auto& rows = *sources_[source];
  rows.next();
  if (rows.valid()) {
    keys_[source] = rows.key();
  } else {
    TRY(rows.status());
    heap_.front() = heap_.back();
    heap_.pop_back();
  }
  if (!heap_.empty()) sink();
  return {};
}

Result<std::vector<FinishedFile>> UnitJob::step(int64_t most_rows) {
  std::vector<FinishedFile> finished;
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);  // of this thread; its counts are not read
  if (!begun_) TRY(begin());
  for (int64_t rows = 0; rows < most_rows && finished.empty() && !heap_.empty(); ++rows) {
    TRY(take_row(finished));
    last_key_.assign(keys_[heap_.front()]);
    has_last_key_ = true;
    if (auto advanced = advance(); !advanced) {
      begun_ = false;
      if (finished.empty()) return fail(std::move(advanced.error()));
      return finished;  // the next call gets the error again, if it persists
    }
  }
  if (!heap_.empty() || done_) return finished;
  TRY(files_.finish(finished));
  done_ = true;
  return finished;
}

Result<void> UnitJob::take_row(std::vector<FinishedFile>& finished) {
  const auto source = heap_.front();
  const auto& rows = *sources_[source];
  return files_.add({.key = keys_[source],
                     .stored = rows.value(),
                     .data_version = rows.data_version(),
                     .partition = source_partitions_[source]},
                    finished);
}

}  // namespace pegmove::splitter
