#include "bare_write.h"

#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "record/hash.h"
#include "record/key.h"
#include "store/partition_db.h"

namespace pegmove::bench {
namespace {

using RowPointers = std::vector<const BenchRow*>;

struct Part {
  std::unique_ptr<store::PartitionDb> db;
  RowPointers rows;
};

Result<std::vector<Part>> open_parts(const std::vector<BenchRow>& rows, const BareWrite& how) {
  std::vector<Part> parts(static_cast<size_t>(how.partitions));
  // Like the two replica servers of the target, which share the partitions.
  std::shared_ptr<store::StoreResources> resources[2];
  for (auto& one : resources) one = store::StoreResources::make(128 << 20, 256 << 20);
  for (size_t index = 0; index < parts.size(); ++index)
    parts[index].db =
        TRY(store::PartitionDb::open({.path = how.folder + "/" + std::to_string(index),
                                      .resources = resources[index % std::size(resources)]}));
  for (const auto& row : rows) {
    auto hash = record::raw_key_hash(*record::split_key(row.raw_key));
    parts[size_t(record::partition_index(hash, how.partitions))].rows.push_back(&row);
  }
  return parts;
}

Result<void> write_part(Part& part, int64_t rows_a_batch) {
  auto batch = part.db->new_batch();
  int64_t decree = 0;
  for (size_t i = 0; i < part.rows.size(); ++i) {
    batch.put(part.rows[i]->raw_key, part.rows[i]->value, 0, 1);
    if (int64_t(batch.count()) < rows_a_batch && i + 1 < part.rows.size()) continue;
    TRY(part.db->write(batch, ++decree));
    batch.clear();
  }
  return {};
}

Result<void> write_every_second(std::vector<Part>& parts, size_t first, int64_t rows_a_batch) {
  for (size_t index = first; index < parts.size(); index += 2)
    TRY(write_part(parts[index], rows_a_batch));
  return {};
}

double own_cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& time) {
    return double(time.tv_sec) + double(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

Result<BareNumbers> write_bare(const std::vector<BenchRow>& rows, const BareWrite& how) {
  std::filesystem::create_directories(how.folder);
  auto parts = TRY(open_parts(rows, how));
  auto start = std::chrono::steady_clock::now();
  auto cpu = own_cpu_seconds();
  Result<void> odd;
  std::thread other([&] { odd = write_every_second(parts, 1, how.rows_a_batch); });
  auto even = write_every_second(parts, 0, how.rows_a_batch);
  other.join();
  BareNumbers numbers{
      .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
      .cpu_seconds = own_cpu_seconds() - cpu};
  parts.clear();
  std::filesystem::remove_all(how.folder);
  TRY(even);
  TRY(odd);
  return numbers;
}

}  // namespace pegmove::bench
