// The golden cold backup of a real cluster, and backups made here, split to other partition counts.
// The files are read by RocksDB's own reader.
#include "splitter/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/sst_file_reader.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <map>

#include "async/run.h"
#include "blockstore/local_store.h"
#include "record/expiry.h"
#include "record/hash.h"
#include "record/key.h"
#include "record/value.h"
#include "store/partition_db.h"
#include "testing/forwarding_store.h"
#include "testing/golden_rows.h"
#include "testing/quick_clock.h"
#include "testing/sim_clock.h"
#include "testing/test_folder.h"

namespace pegmove::splitter {
namespace {

using blockstore::AsyncStore;
using blockstore::BlockStore;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Raw key to stored value.
using Rows = std::map<std::string, std::string>;

template <typename T>
T good(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().to_string());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// A store whose reads fail when the test asks for it.
class FlakyStore : public testing::ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::function<std::optional<Error>(const std::string& path)> fault;

  Result<std::string> read(const std::string& path, int64_t offset, size_t size) override {
    if (fault)
      if (auto error = fault(path)) return fail(*std::move(error));
    return ForwardingStore::read(path, offset, size);
  }
};

class SplitTest : public ::testing::Test {
 protected:
  std::shared_ptr<BlockStore> folder_store(const std::string& folder) {
    std::filesystem::create_directories(folder);
    return blockstore::make_local_store("local", folder);
  }
  AsyncStore with_pool(std::shared_ptr<BlockStore> store) {
    return {std::move(store), pool_, clock_};
  }

  SplitSource golden() { return golden_in(folder_store(testing::kGoldenBackups)); }
  SplitSource golden_in(std::shared_ptr<BlockStore> store) {
    return {
        .store = with_pool(std::move(store)),
        .place = {.root = "oneboxA", .backup_id = 1795335319246, .table = "golden", .app_id = 4}};
  }
  SplitTarget target(const std::string& table) {
    return {.store = with_pool(folder_store(folder_ / "out")),
            .place = {.root = "split", .cluster = "B", .table = table},
            .app_id = 7};
  }
  SplitLimits limits() { return {.work_folder = folder_ / "work"}; }
  template <typename T>
  T run(Task<T> task) {
    return good(async::run_to_end(context_, std::move(task)));
  }

  // All units, one after the other, and the end.
  std::vector<UnitResult> split(const SplitSource& source, const SplitTarget& to,
                                const SplitPlan& plan) {
    std::vector<UnitResult> results;
    for (size_t unit = 0; unit < plan.units.size(); ++unit)
      results.push_back(run(carry_out_unit(source, to, plan, unit, limits(), {})));
    run(finish_split(to, plan, results, limits()));
    return results;
  }

  // The rows of a set, each looked at for its place; and of which files they are.
  Rows read_set(const SplitTarget& to, int32_t partitions) {
    const auto info = run(bulkload::read_info(to.store, to.place));
    EXPECT_EQ(info, (bulkload::Info{
                        .app_id = 7, .table = to.place.table, .partition_count = partitions}));
    Rows rows;
    for (int32_t partition = 0; partition < partitions; ++partition) {
      const auto metadata = run(bulkload::read_metadata(to.store, to.place, partition));
      const auto in_folder = run(to.store.list(to.place.partition_folder(partition)));
      EXPECT_EQ(in_folder.size(), metadata.files.size() + 1) << "and bulk_load_metadata";
      std::string last;
      for (const auto& file : metadata.files)
        read_table(folder_ / "out/" + to.place.file(partition, file.name), partition, partitions,
                   last, rows);
    }
    return rows;
  }
  static void read_table(const std::string& path, int32_t partition, int32_t partitions,
                         std::string& last, Rows& rows) {
    rocksdb::SstFileReader reader{rocksdb::Options()};
    ASSERT_TRUE(reader.Open(path).ok()) << path;
    ASSERT_TRUE(reader.VerifyChecksum().ok()) << path;
    std::unique_ptr<rocksdb::Iterator> row(reader.NewIterator({}));
    for (row->SeekToFirst(); row->Valid(); row->Next()) {
      const auto key = row->key().ToString();
      if (key.empty()) {
        EXPECT_TRUE(row->value().empty()) << "the invisible record";
        continue;
      }
      const auto parts = record::split_key(key);
      ASSERT_TRUE(parts);
      EXPECT_EQ(record::partition_index(record::raw_key_hash(*parts), partitions), partition);
      EXPECT_LT(last, key) << "files of a partition do not overlap";
      last = key;
      EXPECT_TRUE(rows.emplace(key, row->value().ToString()).second);
    }
    EXPECT_TRUE(row->status().ok());
  }

  // A backup with one partition database after another, filled by `fill`.
  SplitSource make_backup(
      int32_t partitions,
      const std::function<void(int32_t partition, store::PartitionDb& db)>& fill) {
    SplitSource source{.store = with_pool(folder_store(folder_ / "backups")),
                       .place = {.root = "A", .backup_id = 5, .table = "t", .app_id = 2}};
    for (int32_t partition = 0; partition < partitions; ++partition) {
      const auto name = std::to_string(partition);
      {
        auto db = good(store::PartitionDb::open({.path = folder_ / ("db" + name)}));
        fill(partition, *db);
        good(db->checkpoint(folder_ / ("checkpoint" + name)));
      }
      backup::CheckpointMetadata metadata{.decree = 1, .timestamp_ms = 1, .files = {}};
      const auto to = source.place.checkpoint_folder(partition, "chkpt_a_1");
      for (const auto& [file, bytes] : testing::contents(folder_ / ("checkpoint" + name))) {
        const auto sent = run(
            source.store.upload(folder_ / ("checkpoint" + name + "/" + file), to + "/" + file, {}));
        metadata.files.push_back({file, sent.sum.size, sent.sum.md5});
        metadata.total_size += sent.sum.size;
      }
      run(source.store.write_file(to + "/backup_metadata", encode(metadata)));
      run(source.store.write_file(source.place.current_file(partition), "chkpt_a_1"));
    }
    return source;
  }

  testing::TestFolder folder_;
  asio::io_context context_;
  testing::SimClock wall_;
  testing::QuickClock clock_{wall_};
  async::Pool pool_{2};
};

SplitRules golden_rules(int32_t targets) {
  return {.shape = {.sources = testing::kGoldenPartitions, .targets = targets},
          .now_ts = record::pegasus_seconds(testing::kGoldenBackupTime)};
}

TEST_F(SplitTest, TheGoldenBackupHasItsRowsInAnyPartitionCount) {
  const auto expected = testing::golden_rows();
  for (const int32_t targets : {1, 3, 4, 7, 16}) {
    const auto to = target("t" + std::to_string(targets));
    const auto plan = run(plan_split(golden(), golden_rules(targets), limits()));
    split(golden(), to, plan);
    std::set<testing::GoldenRow> found;
    for (const auto& [key, value] : read_set(to, targets)) {
      const auto parts = record::split_key(key);
      const auto data = record::decode_value(1, value)->user_data;
      found.insert({std::string(parts->hash_key), std::string(parts->sort_key), std::string(data)});
    }
    EXPECT_EQ(found, expected) << targets << " partitions";
    EXPECT_FALSE(std::filesystem::exists(folder_ / "work/u0")) << "nothing stays in its folder";
  }
}

// Rows of hash keys h0, h1, ... of which each partition has its own.
void fill_evenly(int32_t partition, int32_t partitions, int rows, store::PartitionDb& db) {
  auto batch = db.new_batch();
  for (int i = 0; i < rows; ++i) {
    const auto key = "h" + std::to_string(i);
    if (record::partition_index(record::key_hash(key, ""), partitions) != partition) continue;
    batch.put(record::encode_key(key, "s"), "v" + std::to_string(i), 900'000'000, uint64_t(i) << 8);
  }
  good(db.write(batch, 1));
}

TEST_F(SplitTest, ExpiryAndTimetagAreKeptByteForByte) {
  const auto source = make_backup(
      2, [](int32_t partition, store::PartitionDb& db) { fill_evenly(partition, 2, 100, db); });
  const auto plan = run(plan_split(source, {.shape = {2, 3}, .now_ts = 1}, limits()));
  const auto results = split(source, target("t"), plan);
  const auto rows = read_set(target("t"), 3);
  EXPECT_THAT(rows, SizeIs(100));
  std::string expected;
  record::append_value_header(expected, 1, 900'000'000, uint64_t{42} << 8);
  EXPECT_EQ(rows.at(record::encode_key("h42", "s")), expected + "v42");
  EXPECT_EQ(results[0].counts.written, 100);
}

TEST_F(SplitTest, ValuesOfAnotherDataVersionAreConverted) {
  const auto source =
      make_backup(1, [](int32_t, store::PartitionDb& db) { fill_evenly(0, 1, 10, db); });
  const auto plan =
      run(plan_split(source, {.shape = {1, 1}, .data_version = 0, .now_ts = 1}, limits()));
  split(source, target("t"), plan);
  std::string expected;
  record::append_value_header(expected, 0, 900'000'000, 0);
  EXPECT_EQ(read_set(target("t"), 1).at(record::encode_key("h4", "s")), expected + "v4");
}

TEST_F(SplitTest, WhatIsExpiredForeignOrNotWantedIsLeftOutAndCounted) {
  int64_t strays = 0;
  const auto source = make_backup(2, [&](int32_t partition, store::PartitionDb& db) {
    fill_evenly(partition, 2, 100, db);
    if (partition != 0) return;
    auto batch = db.new_batch();
    for (int i = 0; i < 100; ++i) {  // what an old split left behind
      const auto key = "h" + std::to_string(i);
      if (record::partition_index(record::key_hash(key, ""), 2) == 1)
        batch.put(record::encode_key(key, "s"), "old", 0, 0);
    }
    for (int i = 0; i < 100; ++i) {
      const auto key = "gone" + std::to_string(i);
      if (record::partition_index(record::key_hash(key, ""), 2) == 0)
        batch.put(record::encode_key(key, "s"), "old", 500, 0);
    }
    for (int i = 0; i < 100; ++i) {  // what a duplication misplaced
      const auto key = "only" + std::to_string(i);
      if (record::partition_index(record::key_hash(key, ""), 2) == 0) continue;
      batch.put(record::encode_key(key, "s"), "v", 0, 0);
      ++strays;
    }
    good(db.write(batch, 2));
  });
  SplitRules rules{.shape = {2, 4}, .now_ts = 500};
  rules.filters.hash_key = {.match = rows::Match::kPostfix, .pattern = "7"};
  const auto plan = run(plan_split(source, rules, limits()));
  RowCounts counts;
  for (const auto& result : split(source, target("t"), plan)) counts += result.counts;
  const auto rows = read_set(target("t"), 4);
  EXPECT_THAT(rows, SizeIs(10));
  EXPECT_EQ(counts.written, 10);
  EXPECT_GT(counts.foreign.rows, strays + 30);
  EXPECT_EQ(counts.foreign.read, counts.foreign.rows);
  EXPECT_GT(strays, 0);
  EXPECT_EQ(counts.foreign.strays, strays);
  EXPECT_THAT(counts.foreign.stray_keys, ::testing::Each(::testing::HasSubstr("only")));
  EXPECT_GT(counts.expired + counts.filtered, 90);
  EXPECT_EQ(counts.read, counts.written + counts.foreign.rows + counts.expired + counts.filtered);
}

TEST_F(SplitTest, AFileEndsWhereItIsFullAndTheRowsAreTheSame) {
  const auto source =
      make_backup(1, [](int32_t, store::PartitionDb& db) { fill_evenly(0, 1, 2'000, db); });
  SplitRules rules{.shape = {1, 1}, .now_ts = 1, .most_file_bytes = 10'000};
  const auto plan = run(plan_split(source, rules, limits()));
  const auto results = split(source, target("t"), plan);
  EXPECT_GT(results[0].files.size(), 4u);
  EXPECT_THAT(read_set(target("t"), 1), SizeIs(2'000));
}

TEST_F(SplitTest, DoneAgainAUnitHasTheSameFilesWithTheSameRows) {
  const auto source = make_backup(
      3, [](int32_t partition, store::PartitionDb& db) { fill_evenly(partition, 3, 3'000, db); });
  SplitRules rules{.shape = {3, 2}, .now_ts = 1, .most_file_bytes = 20'000};
  const auto plan = run(plan_split(source, rules, limits()));
  auto described = [&](const std::string& table) {
    std::vector<std::tuple<int32_t, std::string, int64_t, std::string>> files;
    for (const auto& result : split(source, target(table), plan))
      for (const auto& file : result.files)
        files.emplace_back(file.partition, file.file.name, file.rows, file.digest);
    return files;
  };
  const auto first = described("a");
  EXPECT_GE(first.size(), 4u);
  EXPECT_EQ(described("b"), first);
}

TEST_F(SplitTest, LeftoversOfAKilledUnitAreRemovedInTheEnd) {
  const auto plan = run(plan_split(golden(), golden_rules(3), limits()));
  const auto to = target("t");
  run(to.store.write_file(to.place.file(1, "u0000_0099.sst"), "half a file"));
  split(golden(), to, plan);
  read_set(to, 3);
}

TEST_F(SplitTest, AStoreThatIsAwayForAWhileCostsNoRow) {
  auto flaky = std::make_shared<FlakyStore>(folder_store(testing::kGoldenBackups));
  const auto source = golden_in(flaky);
  const auto plan = run(plan_split(source, golden_rules(3), limits()));
  std::atomic<int> reads = 0;
  flaky->fault = [&](const std::string& path) -> std::optional<Error> {
    if (!path.ends_with(".sst") || ++reads % 5 != 0) return std::nullopt;
    return Error(Code::kUnreachable, "the store is away");
  };
  const auto to = target("t");
  split(source, to, plan);
  EXPECT_GT(reads, 20);
  EXPECT_EQ(read_set(to, 3).size(), testing::golden_rows().size());
}

TEST_F(SplitTest, ADamagedBlockIsAnErrorThatNamesItsPlace) {
  std::filesystem::copy(testing::kGoldenBackups, folder_ / "damaged",
                        std::filesystem::copy_options::recursive);
  const auto source = golden_in(folder_store(folder_ / "damaged"));
  const auto file =
      folder_ /
      ("damaged/" + source.place.checkpoint_folder(2, "chkpt_localhost_34801") + "/000010.sst");
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  auto bytes = testing::read_file(file);
  bytes[100] ^= 1;
  testing::write_file(file, bytes);
  const auto to = target("t");
  // outlives: this call, which waits for it.
  const auto result = async::run_to_end(context_, [&]() -> Task<UnitResult> {
    const auto plan = CO_TRY(co_await plan_split(source, golden_rules(1), limits()));
    co_return co_await carry_out_unit(source, to, plan, 0, limits(), {});
  }());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kCorrupt) << result.error().to_string();
  EXPECT_THAT(result.error().to_string(), HasSubstr("golden_4/2/chkpt_localhost_34801"));
}

TEST_F(SplitTest, LimitsThatAreTooSmallSaySo) {
  for (auto [memory, disk, says] : {std::tuple(int64_t{1 << 20}, int64_t{1} << 33, "`--memory`"),
                                    {int64_t{256} << 20, int64_t{1 << 20}, "`--disk`"}}) {
    auto few = limits();
    few.memory_bytes = memory;
    few.disk_bytes = disk;
    const auto plan = async::run_to_end(context_, plan_split(golden(), golden_rules(16), few));
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(plan.error().to_string(), HasSubstr(says));
  }
}

}  // namespace
}  // namespace pegmove::splitter
