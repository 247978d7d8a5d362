// Reading the duplication log: the other half of PartitionLog.
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "store/partition_log.h"

namespace pegmove::store {
namespace {

// What is wrong when an entry names another one before it than there is; "": nothing. `before`: the
// entry before it, or, for the first one that is read, the decree behind which it is read.
std::string gap_before(const LogEntry& entry, int64_t before, bool is_first) {
  if (is_first ? entry.previous <= before : entry.previous == before) return {};
  return fmt::format(
      "the entry of decree {} follows that of decree {}, and the one before it is {}",
      entry.mutation.decree, entry.previous, before);
}

}  // namespace

// Makes all that was written so far durable.
Result<void> PartitionLog::sync() {
  LogEnd end;
  {
    const std::lock_guard lock(mutex_);
    if (synced_ == end_) return {};
    end = end_;
  }
  TRY(sync_writes());
  const std::lock_guard lock(mutex_);
  if (end.covered >= synced_.covered) synced_ = end;
  return {};
}

Result<PartitionLog::View> PartitionLog::look(int64_t after) {
  const std::lock_guard lock(mutex_);
  if (!is_kept_) return fail(Code::kNotFound, "the database " + path_ + " keeps no such log");
  if (!broken_.empty()) return fail(broken(broken_));
  if (after < start_.begins_after)
    return fail(broken(fmt::format("decrees {} to {} are not in it: it begins after them",
                                   after + 1, start_.begins_after)));
  if (after > end_.covered) {
    TRY(mark_broken(older_copy(after)));
    return fail(broken(broken_));
  }
  // The iterator under the lock: nothing is trimmed between it and the rest.
  return View{new_iterator(), synced_, synced_ == end_, start_.id};
}

Result<LogPiece> PartitionLog::read(int64_t after, size_t most_bytes) {
  auto piece = TRY(read_durable(after, most_bytes));
  if (!piece.mutations.empty() || piece.is_end) return piece;
  TRY(sync());
  return read_durable(after, most_bytes);
}

Result<LogPiece> PartitionLog::read_durable(int64_t after, size_t most_bytes) {
  const auto view = TRY(look(after));
  auto values = std::make_shared<std::deque<std::string>>();  // shared as LogPiece::owner
  LogPiece piece;
  piece.log_id = view.log_id;
  piece.owner = values;
  piece.last_decree = after;
  auto& entries = *view.entries;
  size_t bytes = 0;
  for (entries.Seek(entry_key(after + 1)); entries.Valid(); entries.Next()) {
    const auto decree = decree_of(entries.key().ToStringView());
    if (!decree || *decree > view.upto.covered) break;
    bytes += entries.value().size();
    if (!piece.mutations.empty() && bytes > most_bytes) return piece;
    values->push_back(entries.value().ToString());
    auto entry = decode_entry(*decree, values->back());
    if (!entry)
      return fail(
          broken(fmt::format("the entry of decree {}: {}", *decree, entry.error().message())));
    const auto gap = gap_before(*entry, piece.last_decree, piece.mutations.empty());
    if (!gap.empty()) return fail(broken(gap));
    piece.last_decree = *decree;
    piece.mutations.push_back(std::move(entry->mutation));
  }
  if (!entries.status().ok())
    return fail(
        failed(entries.status()).with_context(fmt::format("after decree {}", piece.last_decree)));
  if (view.upto.last > piece.last_decree)
    return fail(broken(fmt::format("decrees {} to {} are missing at its end", piece.last_decree + 1,
                                   view.upto.last)));
  piece.last_decree = std::max(piece.last_decree, view.upto.covered);
  piece.is_end = view.is_end;
  return piece;
}

// It may read from the disk, and writes do not wait for that.
Result<LogBacklog> PartitionLog::backlog(int64_t after) const {
  std::unique_ptr<rocksdb::Iterator> entries;
  LogEnd end;
  {
    const std::lock_guard lock(mutex_);
    if (!is_kept_) return fail(Code::kNotFound, "the database " + path_ + " keeps no such log");
    entries = new_iterator();
    end = end_;
    after = std::max(after, start_.begins_after);
  }
  entries->Seek(entry_key(after + 1));
  if (!entries->status().ok()) return fail(failed(entries->status()));
  const auto decree = entries->Valid() ? decree_of(entries->key().ToStringView()) : std::nullopt;
  if (!decree) return LogBacklog{};
  const auto entry = decode_entry(*decree, entries->value().ToStringView());
  if (!entry)
    return fail(
        broken(fmt::format("the entry of decree {}: {}", *decree, entry.error().message())));
  // An entry that is just being written may be seen before it counts.
  return LogBacklog{.mutations = std::max(int64_t{0}, end.mutations - entry->mutations_before),
                    .bytes = std::max(int64_t{0}, end.bytes - entry->bytes_before),
                    .oldest_timestamp_us = entry->mutation.timestamp_us};
}

}  // namespace pegmove::store
