#include "backup_maker.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <vector>

#include "async/run.h"
#include "backup/metadata.h"
#include "backup/reader.h"
#include "bench_rows.h"
#include "blockstore/local_store.h"
#include "meta_types.h"
#include "record/hash.h"
#include "record/key.h"
#include "store/partition_db.h"

namespace pegmove::bench {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRowsAtOnce = 200'000;

// A cold backup of a table with these rows, in a folder.
class BackupMaker {
 public:
  BackupMaker(std::string folder, int64_t rows, int32_t partitions)
      : folder_(std::move(folder)),
        rows_(rows),
        partitions_(partitions),
        place_{
            .root = "A", .backup_id = backup_id(partitions), .table = kBackedUpTable, .app_id = 1} {
  }

  Result<void> make() {
    std::vector<std::unique_ptr<store::PartitionDb>> databases;
    for (int32_t i = 0; i < partitions_; ++i)
      databases.push_back(TRY(store::PartitionDb::open(
          {.path = database(i), .checksum = rocksdb::kXXH3})));  // like current servers
    for (int64_t round = 0; round * kRowsAtOnce < rows_; ++round)
      TRY(write_rows(databases, round, std::min(kRowsAtOnce, rows_ - round * kRowsAtOnce)));
    for (int32_t i = 0; i < partitions_; ++i) {
      TRY(databases[size_t(i)]->checkpoint(database(i) + ".checkpoint"));
      databases[size_t(i)].reset();
      fs::remove_all(database(i));
    }
    return async::run_to_end(context_, upload());
  }

 private:
  std::string database(int32_t partition) const {
    return folder_ + "/db" + std::to_string(partition);
  }

  Result<void> write_rows(std::vector<std::unique_ptr<store::PartitionDb>>& databases,
                          int64_t round, int64_t count) {
    std::vector<store::WriteBatch> batches;
    for (auto& db : databases) batches.push_back(db->new_batch(size_t(count) * 150 / 4));
    for (const auto& row : make_rows({.rows = count, .value_size = 100})) {
      const auto key = row.raw_key + "-" + std::to_string(round);
      const auto hash = record::raw_key_hash(*record::split_key(key));
      batches[size_t(record::partition_index(hash, partitions_))].put(key, row.value, 0, 0);
    }
    for (size_t i = 0; i < databases.size(); ++i) TRY(databases[i]->write(batches[i], round + 1));
    return {};
  }

  Task<> upload() {
    blockstore::AsyncStore store(blockstore::make_local_store("store", folder_ + "/store"), pool_,
                                 clock_);
    for (int32_t i = 0; i < partitions_; ++i) {
      backup::CheckpointMetadata metadata{.decree = 1, .timestamp_ms = 1, .files = {}};
      const auto from = database(i) + ".checkpoint";
      const auto to = place_.checkpoint_folder(i, "chkpt_bench_1");
      for (const auto& entry : fs::directory_iterator(from)) {
        const auto name = entry.path().filename().string();
        const auto sent = CO_TRY(co_await store.upload(entry.path(), to + "/" + name, {}));
        metadata.files.push_back({name, sent.sum.size, sent.sum.md5});
        metadata.total_size += sent.sum.size;
      }
      fs::remove_all(from);
      CO_TRY(co_await store.write_file(to + "/backup_metadata", encode(metadata)));
      CO_TRY(co_await store.write_file(place_.current_file(i), "chkpt_bench_1"));
    }
    wire::app_info app;
    app.app_type = "pegasus";
    app.app_name = place_.table;
    app.app_id = place_.app_id;
    app.partition_count = partitions_;
    app.max_replica_count = 1;
    CO_TRY(co_await store.write_file(place_.metadata_file(), backup::encode_app_metadata(app)));
    backup::BackupInfo info{.backup_id = place_.backup_id, .start_time_ms = 1, .tables = {}};
    info.tables[place_.app_id] = place_.table;
    co_return co_await store.write_file(place_.info_file(), encode(info));
  }

  std::string folder_;
  int64_t rows_;
  int32_t partitions_;
  backup::Place place_;
  asio::io_context context_;
  async::SystemClock clock_;
  async::Pool pool_{2};
};

}  // namespace

int64_t backup_id(int32_t partitions) { return 1'700'000'000'000 + partitions; }

Result<void> make_backup(const std::string& folder, int64_t rows, int32_t partitions) {
  fs::create_directories(folder + "/store");
  return BackupMaker(folder, rows, partitions).make();
}

std::string backup_folder(const std::string& folder, int32_t partitions) {
  return folder + "/store/A/" + std::to_string(backup_id(partitions)) + "/" + kBackedUpTable + "_1";
}

}  // namespace pegmove::bench
