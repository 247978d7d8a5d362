#include "row_book.h"

#include "record/key.h"

namespace pegmove::kill {
namespace {

using async::milliseconds;

constexpr int kSingleRows = 40;  // of a writer
constexpr int kGroups = 12;
constexpr int kRowsOfAGroup = 5;

// Most requests are sent again when the server is back; some are given up, so that their fate stays
// open.
milliseconds patience(std::mt19937_64& random) {
  return random() % 4 == 0 ? milliseconds(5 + random() % 40) : milliseconds(30'000);
}

std::string short_text(const std::string& value) {
  return value.empty() ? "nothing" : "'" + value.substr(0, 24) + "'";
}

}  // namespace

RowBook::RowBook(std::shared_ptr<client::Table> table, int writers) : table_(std::move(table)) {
  for (int writer = 0; writer < writers; ++writer) {
    auto& sets = sets_.emplace_back();
    auto prefix = "writer" + std::to_string(writer);
    for (int i = 0; i < kSingleRows; ++i)
      sets.push_back({.hash_key = prefix + "row" + std::to_string(i), .rows = 1});
    for (int i = 0; i < kGroups; ++i)
      sets.push_back({.hash_key = prefix + "group" + std::to_string(i), .rows = kRowsOfAGroup});
  }
}

// An empty value removes.
Task<client::OperationInfo> RowBook::send(const RowSet& set, std::string value, Deadline deadline) {
  if (set.rows == 1 && value.empty()) co_return co_await table_->del(set.hash_key, "0", deadline);
  if (set.rows == 1) co_return co_await table_->set(set.hash_key, "0", value, 0, deadline);
  std::vector<client::SortValue> rows;
  std::vector<std::string> sort_keys;
  for (int i = 0; i < set.rows; ++i) {
    rows.push_back({std::to_string(i), value});
    sort_keys.push_back(std::to_string(i));
  }
  if (!value.empty()) co_return co_await table_->multi_set(set.hash_key, rows, 0, deadline);
  auto removed = CO_TRY(co_await table_->multi_del(set.hash_key, sort_keys, deadline));
  co_return removed.info;
}

Routine<> RowBook::write(int writer, uint64_t seed, const bool& stop) {
  std::mt19937_64 random(seed);
  auto& clock = table_->cluster().client().clock();
  auto& sets = sets_[size_t(writer)];
  while (!stop) {
    auto& set = sets[random() % sets.size()];
    std::string value;
    if (random() % 4 != 0)
      value = std::to_string(random()) + " " + std::string(random() % 300, char('a' + writer));
    set.possible.insert(value);
    auto done = co_await send(set, value, Deadline::in(clock, patience(random)));
    if (done) {
      set.possible = {value};
      acknowledge(*done);
    } else {
      ++unacknowledged_;
    }
    write_ended_.notify();
  }
}

Routine<> RowBook::wait_for_writes(int64_t count) {
  const auto last = acknowledged_ + unacknowledged_ + count;
  while (acknowledged_ + unacknowledged_ < last) co_await write_ended_.wait();  // no result
}

// Decrees of a partition never go back, whatever happens to its server.
void RowBook::acknowledge(const client::OperationInfo& info) {
  ++acknowledged_;
  auto& last = last_decrees_[info.partition_index];
  if (info.decree < last)
    contradictions_.push_back("partition " + std::to_string(info.partition_index) + ": decree " +
                              std::to_string(info.decree) + " after " + std::to_string(last));
  last = std::max(last, info.decree);
}

void RowBook::compare_one(RowSet& set, const std::map<std::string, std::string>& rows) {
  auto found = rows.empty() ? "" : rows.begin()->second;
  bool torn = !rows.empty() && int(rows.size()) != set.rows;
  for (const auto& [sort_key, value] : rows) torn = torn || value != found;
  if (torn) {
    contradictions_.push_back(set.hash_key + ": its rows were written together and differ");
  } else if (!set.possible.contains(found)) {
    std::string may_hold;
    for (const auto& value : set.possible) may_hold += " " + short_text(value);
    contradictions_.push_back(set.hash_key + ": holds " + short_text(found) + ", may hold" +
                              may_hold);
  }
  set.possible = {found};
}

Task<> RowBook::compare() {
  auto& clock = table_->cluster().client().clock();
  std::map<std::string, std::map<std::string, std::string>> rows;
  for (int32_t index = 0; index < table_->partition_count(); ++index) {
    auto scanner = table_->scan_partition(index, {.batch_size = 1000});
    auto deadline = Deadline::in(clock, milliseconds(30'000));
    while (auto batch = CO_TRY(co_await scanner->next(deadline)))
      for (const auto& row : batch->rows) {
        auto key = record::split_key(row.key);
        if (!key) co_return fail(Code::kProtocol, "a scan returned a malformed key");
        rows[std::string(key->hash_key)][std::string(key->sort_key)] = row.value;
      }
  }
  for (auto& sets : sets_)
    for (auto& set : sets) {
      auto found = rows.extract(set.hash_key);
      compare_one(set, found ? found.mapped() : std::map<std::string, std::string>());
    }
  for (const auto& [hash_key, strangers] : rows)
    contradictions_.push_back(hash_key + ": nobody wrote it");
  co_return Result<void>();
}

}  // namespace pegmove::kill
