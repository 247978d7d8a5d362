#include "bench_rows.h"

#include <algorithm>
#include <cstdio>
#include <random>

#include "client/bulk_write.h"
#include "record/hash.h"
#include "record/key.h"

namespace pegmove::bench {
namespace {

constexpr async::milliseconds kTimeout{60'000};
constexpr size_t kLoadBytes = 16 << 20;  // in flight at once
constexpr size_t kRequestBytes = 64 << 10;

std::string key_of(const RowShape& shape, int64_t row) {
  char hash_key[32], sort_key[32];
  std::snprintf(hash_key, sizeof hash_key, "k%010lld", (long long)(row / shape.sort_keys));
  std::snprintf(sort_key, sizeof sort_key, "s%lld", (long long)(row % shape.sort_keys));
  return record::encode_key(hash_key, sort_key);
}

Task<std::shared_ptr<client::Table>> open_table(client::Client& client, std::string meta) {
  auto deadline = Deadline::in(client.clock(), kTimeout);
  auto cluster =
      CO_TRY(co_await client::Cluster::connect(client, *net::parse_host_port_list(meta), deadline));
  co_return co_await client::Table::open(cluster, kBenchTable, deadline);
}

}  // namespace

std::vector<BenchRow> make_rows(const RowShape& shape) {
  std::vector<BenchRow> rows;
  rows.reserve(size_t(shape.rows));
  std::minstd_rand random;
  for (int64_t row = 0; row < shape.rows; ++row) {
    std::string value(size_t(shape.value_size), 'v');
    for (size_t i = 0; i < value.size() / 2; ++i) value[i] = char('a' + random() % 26);
    rows.push_back({key_of(shape, row), std::move(value)});
  }
  return rows;
}

int64_t bytes_of(const std::vector<BenchRow>& rows) {
  int64_t bytes = 0;
  for (const auto& row : rows) bytes += int64_t(row.raw_key.size() + row.value.size());
  return bytes;
}

Task<> create_table(client::Client& client, std::string meta, int partitions) {
  auto deadline = Deadline::in(client.clock(), kTimeout);
  auto cluster =
      CO_TRY(co_await client::Cluster::connect(client, *net::parse_host_port_list(meta), deadline));
  CO_TRY(co_await cluster->create_table(kBenchTable, {.partition_count = partitions}, deadline));
  CO_TRY(co_await cluster->wait_until_ready(kBenchTable, {}, deadline));
  co_return Result<void>();
}

Task<> load_table(client::Client& client, std::string meta, const std::vector<BenchRow>& rows) {
  auto table = CO_TRY(co_await open_table(client, std::move(meta)));
  auto count = table->partition_count();
  for (size_t at = 0; at < rows.size();) {
    std::vector<std::vector<client::RawRow>> parts(static_cast<size_t>(count));
    for (size_t bytes = 0; at < rows.size() && bytes < kLoadBytes; ++at) {
      const auto& [key, value] = rows[at];
      auto hash = record::raw_key_hash(*record::split_key(key));
      parts[size_t(record::partition_index(hash, count))].push_back({key, value, 0});
      bytes += value.size() + key.size();
    }
    for (int32_t index = 0; index < count; ++index)
      CO_TRY(co_await client::write_rows(*table, index, std::move(parts[size_t(index)]),
                                         kRequestBytes, Deadline::in(client.clock(), kTimeout)));
  }
  co_return Result<void>();
}

Task<int64_t> count_mutations(client::Client& client, std::string meta) {
  auto table = CO_TRY(co_await open_table(client, std::move(meta)));
  auto deadline = Deadline::in(client.clock(), kTimeout);
  std::vector<int64_t> decrees(size_t(table->partition_count()), -1);
  for (int i = 0; std::ranges::count(decrees, -1) > 0; ++i) {
    auto info = CO_TRY(co_await table->set("probe" + std::to_string(i), "", "", 0, deadline));
    auto& decree = decrees[size_t(info.partition_index)];
    if (decree < 0) decree = info.decree - 1;
  }
  int64_t all = 0;
  for (auto decree : decrees) all += decree;
  co_return all;
}

}  // namespace pegmove::bench
