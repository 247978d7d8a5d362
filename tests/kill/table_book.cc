#include "table_book.h"

#include <set>

namespace pegmove::kill {
namespace {

using async::milliseconds;
using client::ListedTables;
using client::Table;

constexpr const char* kMarker = "marker";

}  // namespace

Task<> TableBook::create(const std::string& name, Known& known, Deadline deadline) {
  known = {.state = State::kOpen};
  auto app_id = CO_TRY(co_await cluster_->create_table(name, {.partition_count = 2}, deadline));
  ++acknowledged_;
  if (app_id <= largest_app_id_)
    contradict(name, "id " + std::to_string(app_id) + " was used before");
  largest_app_id_ = std::max(largest_app_id_, app_id);
  known = {.state = State::kPresent, .app_id = app_id};
  co_return co_await put_marker(name, known, deadline);
}

// A new table must not show what an older one of its name held.
Task<> TableBook::put_marker(const std::string& name, Known& known, Deadline deadline) {
  auto table = CO_TRY(co_await Table::open(cluster_, name, deadline));
  auto found = CO_TRY(co_await table->get(kMarker, "", deadline));
  if (found.value) contradict(name, "is new and holds rows");
  CO_TRY(co_await table->set(kMarker, "", std::to_string(known.app_id), 0, deadline));
  ++acknowledged_;
  known.has_marker = true;
  co_return Result<void>();
}

Task<> TableBook::drop(const std::string& name, Known& known, std::mt19937_64& random,
                       Deadline deadline) {
  known.state = State::kOpen;
  // With a short reserve time its files go at the next start.
  CO_TRY(co_await cluster_->drop_table(name, random() % 2 == 0 ? 1 : 0, deadline));
  ++acknowledged_;
  known = {};
  co_return Result<void>();
}

Routine<> TableBook::change(uint64_t seed, const bool& stop) {
  std::mt19937_64 random(seed);
  auto& clock = cluster_->client().clock();
  while (!stop) {
    auto entry = std::next(known_.begin(), long(random() % known_.size()));
    auto& [name, known] = *entry;
    if (known.state == State::kOpen) co_return;  // compare() will tell
    auto patience = random() % 2 == 0 ? milliseconds(5 + random() % 40) : milliseconds(30'000);
    auto deadline = Deadline::in(clock, patience);
    // What failed is left open or noted by whoever failed.
    auto done = known.state == State::kPresent ? co_await drop(name, known, random, deadline)
                                               : co_await create(name, known, deadline);
    if (!done) co_return;
  }
}

Task<> TableBook::compare_one(const std::string& name, Known& known, int32_t app_id) {
  bool present = app_id != 0;
  if (known.state == State::kPresent && !present) contradict(name, "was made and is not there");
  if (known.state == State::kAbsent && present) contradict(name, "was dropped and is there");
  if (present && known.app_id == 0 && app_id <= largest_app_id_)
    contradict(name, "id " + std::to_string(app_id) + " was used before");
  if (present && known.app_id != 0 && known.app_id != app_id)
    contradict(name, "has another id than when it was made");
  largest_app_id_ = std::max(largest_app_id_, app_id);
  bool had_marker = known.has_marker && known.app_id == app_id;
  known = {.state = present ? State::kPresent : State::kAbsent,
           .app_id = app_id,
           .has_marker = had_marker};
  if (!present) co_return Result<void>();
  auto deadline = Deadline::in(cluster_->client().clock(), milliseconds(30'000));
  auto table = CO_TRY(in_context(co_await Table::open(cluster_, name, deadline), name));
  auto marker = CO_TRY(in_context(co_await table->get(kMarker, "", deadline), name));
  if (had_marker && marker.value != std::to_string(app_id)) contradict(name, "has lost its row");
  for (int i = 0; i < 4; ++i)  // both partitions take writes
    CO_TRY(in_context(co_await table->set("row" + std::to_string(i), "", "v", 0, deadline), name));
  co_return Result<void>();
}

Task<> TableBook::compare() {
  auto deadline = Deadline::in(cluster_->client().clock(), milliseconds(30'000));
  std::map<std::string, int32_t> available;
  std::set<int32_t> ids;
  for (const auto& table : CO_TRY(co_await cluster_->tables(ListedTables::kAll, deadline))) {
    if (!ids.insert(table.app_id).second) contradict(table.name, "shares its id");
    if (table.status != "AS_AVAILABLE") continue;
    if (!available.emplace(table.name, table.app_id).second)
      contradict(table.name, "is there twice");
  }
  for (auto& [name, known] : known_) {
    auto found = available.find(name);
    CO_TRY(co_await compare_one(name, known, found == available.end() ? 0 : found->second));
  }
  co_return Result<void>();
}

}  // namespace pegmove::kill
