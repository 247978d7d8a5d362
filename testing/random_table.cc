#include "testing/random_table.h"

#include "async/all.h"
#include "base/bytes.h"
#include "client/bulk_write.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::testing {
namespace {

constexpr size_t kRowsAtOnce = 64;

size_t any(std::mt19937& random, size_t least, size_t most) {
  return std::uniform_int_distribution(least, most)(random);
}

std::string random_hash_key(std::mt19937& random) {
  if (any(random, 0, 9) == 0) return "";
  // Few lengths and bytes, so that neighbours and common prefixes occur.
  std::string key(any(random, 1, 4), '\0');
  for (auto& byte : key) byte = "\x00\x01\x7f\x80\xff"[any(random, 0, 4)];
  return key;
}

std::string random_value(std::mt19937& random, size_t largest) {
  switch (any(random, 0, 9)) {
    case 0: return "";
    case 1: return random_bytes(random, 0, largest);
    default: return random_bytes(random, 0, std::min<size_t>(largest, 300));
  }
}

uint32_t random_expiry(std::mt19937& random, uint32_t after) {
  switch (any(random, 0, 5)) {
    case 0: return uint32_t(after + any(random, 1'000, 100'000));
    case 1: return uint32_t(any(random, uint32_t(INT32_MAX) + 1, UINT32_MAX));
    default: return 0;
  }
}

Task<> write_row(client::Table& table, const ModelKey& key, const ModelRow& row,
                 Deadline deadline) {
  CO_TRY(co_await table.set(key.hash_key, key.sort_key, row.value, row.expire_ts, deadline));
  co_return Result<void>();
}

// Runs the step for all rows of the model, a few at a time.
template <typename Step>
Task<> for_each_row(const Model& model, Step step) {
  for (auto next = model.begin(); next != model.end();) {
    std::vector<Task<>> steps;
    for (; next != model.end() && steps.size() < kRowsAtOnce; ++next)
      steps.push_back(step(next->first, next->second));
    CO_TRY(co_await async::all(std::move(steps)));
  }
  co_return Result<void>();
}

struct PointReader {
  client::Table& table;
  uint32_t now;
  Deadline deadline;
  std::string differences;

  Task<> check(const ModelKey& key, const ModelRow& row) {
    auto found = CO_TRY(co_await table.get(key.hash_key, key.sort_key, deadline));
    auto ttl = CO_TRY(co_await table.ttl(key.hash_key, key.sort_key, deadline));
    if (!found.value || !ttl.seconds) {
      note(key, "is missing");
      co_return Result<void>();
    }
    if (*found.value != row.value) note(key, "has another value");
    auto expire_ts = *ttl.seconds == -1 ? 0 : now + uint32_t(*ttl.seconds);
    if (expire_ts != row.expire_ts)
      note(key,
           "expires at " + std::to_string(expire_ts) + ", not " + std::to_string(row.expire_ts));
    co_return Result<void>();
  }
  void note(const ModelKey& key, const std::string& what) {
    if (differences.size() > 1000) return;
    differences += "\"" + base::printable(key.hash_key) + "\" : \"" +
                   base::printable(key.sort_key) + "\" " + what + "\n";
  }
};

}  // namespace

std::string random_bytes(std::mt19937& random, size_t least, size_t most) {
  std::string bytes(any(random, least, most), '\0');
  for (auto& byte : bytes) byte = char(random());
  return bytes;
}

Model random_model(uint32_t seed, RandomTableOptions options) {
  std::mt19937 random(seed);
  Model model{{{"", ""}, {"all empty", 0}},
              {{std::string(65534, '\xff'), ""}, {"longest hash key", 0}},
              {{"h", std::string(70'000, '\xff')}, {"long sort key", 0}},
              {{"h", "last"}, {"last second", UINT32_MAX}}};
  while (model.size() < size_t(options.rows)) {
    auto hash_key = random_hash_key(random);
    auto expire_ts = random_expiry(random, options.expires_after);
    for (auto count = any(random, 1, 6); count > 0 && model.size() < size_t(options.rows); --count)
      model[{hash_key, random_bytes(random, 0, 6)}] = {
          random_value(random, options.largest_value),
          any(random, 0, 1) ? expire_ts : random_expiry(random, options.expires_after)};
  }
  return model;
}

Task<> write_model(std::shared_ptr<client::Table> table, Model model, Deadline deadline) {
  co_return co_await for_each_row(model, [&](const auto& key, const auto& row) {
    return write_row(*table, key, row, deadline);
  });
}

Task<> write_foreign(std::shared_ptr<client::Table> table, Model model, Deadline deadline) {
  const auto count = table->partition_count();
  for (const auto& [key, row] : model) {
    const auto raw_key = record::encode_key(key.hash_key, key.sort_key);
    const auto own = record::partition_index(record::key_hash(key.hash_key, key.sort_key), count);
    std::vector<client::RawRow> rows{{raw_key, row.value, row.expire_ts}};
    CO_TRY(co_await client::write_rows(*table, (own + count / 2) % count, std::move(rows), 1 << 16,
                                       deadline));
  }
  co_return Result<void>();
}

Task<int64_t> count_rows(std::shared_ptr<client::Table> table, Deadline deadline) {
  int64_t rows = 0;
  for (int index = 0; index < table->partition_count(); ++index) {
    auto scanner = table->scan_partition(index, {.batch_size = 1000, .only_count = true});
    while (auto batch = CO_TRY(co_await scanner->next(deadline))) rows += batch->count;
  }
  co_return rows;
}

Task<std::string> differs_from(std::shared_ptr<client::Table> table, Model model, uint32_t now,
                               Deadline deadline) {
  PointReader reader{*table, now, deadline, {}};
  CO_TRY(co_await for_each_row(
      model, [&](const auto& key, const auto& row) { return reader.check(key, row); }));
  auto rows = CO_TRY(co_await count_rows(table, deadline));
  if (rows != int64_t(model.size()))
    reader.differences += std::to_string(rows) + " rows, not " + std::to_string(model.size());
  co_return reader.differences;
}

}  // namespace pegmove::testing
