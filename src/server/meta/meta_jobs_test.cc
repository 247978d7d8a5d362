// The disk writes of the meta server for backups, restores and loads of many partitions, and what a
// restarted server finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <mutex>
#include <set>

#include "blockstore/digest.h"
#include "blockstore/local_store.h"
#include "bulk_load_types.h"
#include "bulkload/metadata.h"
#include "client/backups.h"
#include "client/bulk_loads.h"
#include "server/meta/fake_nodes_test.h"

namespace pegmove::server::meta {
namespace {

using client::LoadControl;
using ::testing::HasSubstr;

constexpr int kMany = 1024;

class MetaJobsTest : public ::testing::Test {
 protected:
  MetaJobsTest() { server_.start(); }

  int32_t make_table(const std::string& name, int partitions) {
    server_.must(
        server_.cluster().create_table(name, {.partition_count = partitions}, server_.deadline()));
    return server_.must(server_.cluster().table_info(name, server_.deadline())).app_id;
  }
  int64_t start_backup(int32_t app_id) {
    return server_
        .must(client::start_backup(server_.cluster(), app_id, "local", "", server_.deadline()))
        .backup_id;
  }
  void wait_for_backup(int32_t app_id) {
    server_.wait_until([&] {
      return server_.must(client::backup_status(server_.cluster(), app_id, 0, server_.deadline()))
                 .items.back()
                 .end_time_ms != 0;
    });
  }
  void start_load(const std::string& table, int32_t app_id, int partitions) {
    const auto info =
        encode(bulkload::Info{.app_id = app_id, .table = table, .partition_count = partitions});
    auto file = blockstore::make_local_store("local", server_.store_dir())
                    ->create("split/B/" + table + "/bulk_load_info");
    ASSERT_TRUE(file && (*file)->append(info));
    ASSERT_TRUE((*file)->finish(blockstore::md5_hex(info)));
    server_.must(client::start_load(
        server_.cluster(), {.table = table, .cluster = "B", .provider = "local", .path = "/split"},
        server_.deadline()));
  }
  client::LoadStatus load(const std::string& table) {
    return server_.must(client::load_status(server_.cluster(), table, server_.deadline()));
  }
  // Waits until all partitions but one, which a gate holds, have ingested their files.
  void wait_for_the_others(const std::string& table, int partitions) {
    server_.wait_until([&] {
      return std::ranges::count(load(table).partitions, wire::BLS_SUCCEED,
                                &client::LoadPartition::status) == partitions - 1;
    });
  }
  // Lets the time pass after which what partitions have done is written.
  void flush() {
    const int before = server_.disk->syncs;
    server_.time.advance(async::milliseconds(1'000));
    server_.wait_until([&] { return server_.disk->syncs > before; });
  }
  void wait_for_load(const std::string& table, wire::bulk_load_status status) {
    server_.wait_until([&] {
      const auto now = load(table);
      return now.status == status && !now.is_loading;
    });
  }
  void control(const std::string& table, LoadControl how) {
    server_.must(client::control_load(server_.cluster(), table, how, server_.deadline()));
  }
  size_t listed_tables() {
    return server_.must(server_.cluster().tables(client::ListedTables::kAll, server_.deadline()))
        .size();
  }
  // The store's values, once the server has stopped.
  MetaValues stored() {
    server_.stop();
    return (*MetaStore::open(server_.folder.path(), server_.disk->files()))->values();
  }

  MetaServer server_;
};

TEST_F(MetaJobsTest, ABackupOfManyPartitionsWaitsForTheDiskAFewTimes) {
  const auto app_id = make_table("t", kMany);
  server_.disk->syncs = 0;
  start_backup(app_id);
  wait_for_backup(app_id);
  server_.stop();
  EXPECT_LE(server_.disk->syncs, 4);
}

TEST_F(MetaJobsTest, ALoadOfManyPartitionsWaitsForTheDiskAFewTimes) {
  const auto app_id = make_table("t", kMany);
  server_.disk->syncs = 0;
  start_load("t", app_id, kMany);
  wait_for_load("t", wire::BLS_SUCCEED);
  EXPECT_LE(server_.disk->syncs, 8);
  const auto values = stored();
  for (const auto& [index, text] : *numbered_children_of(values, path_of("/bulk_load", app_id)))
    EXPECT_EQ(text, R"({"status":"BLS_SUCCEED"})") << index;
}

TEST_F(MetaJobsTest, ARestoreOfManyPartitionsWaitsForTheDiskAFewTimes) {
  const auto app_id = make_table("t", kMany);
  const auto backup_id = start_backup(app_id);
  wait_for_backup(app_id);
  server_.disk->syncs = 0;
  const auto restored = server_.must(client::start_restore(server_.cluster(),
                                                           {.cluster = "test",
                                                            .backup_id = backup_id,
                                                            .table = "t",
                                                            .app_id = app_id,
                                                            .new_table = "u",
                                                            .provider = "local"},
                                                           server_.deadline()));
  server_.wait_until([&] {
    return std::ranges::all_of(
        server_.must(client::restore_status(server_.cluster(), restored, server_.deadline())),
        [](const auto& partition) { return partition.state == client::RestoreState::kDone; });
  });
  server_.stop();
  EXPECT_LE(server_.disk->syncs, 6);
}

TEST_F(MetaJobsTest, WhatPartitionsHaveDoneIsOnTheDiskWithinASecond) {
  const auto app_id = make_table("t", 8);
  TestGate gate(server_.thread.executor(), 3);
  server_.nodes.on_ingest = gate.gate();
  start_load("t", app_id, 8);
  gate.wait_until_reached();
  wait_for_the_others("t", 8);
  const int before = server_.disk->syncs;
  flush();
  EXPECT_EQ(server_.disk->syncs, before + 1);
  gate.open();
  wait_for_load("t", wire::BLS_SUCCEED);
}

// A kill at any moment of a load leaves the files of one of these moments.
TEST_F(MetaJobsTest, ALoadGoesOnFromWhateverAKillLeaves) {
  const auto app_id = make_table("t", 8);
  std::set<std::string> left;
  server_.disk->on_write = [&] { left.insert(server_.disk->read(server_.folder / "meta_store")); };
  TestGate gate(server_.thread.executor(), 3);
  server_.nodes.on_ingest = gate.gate();
  start_load("t", app_id, 8);
  gate.wait_until_reached();
  wait_for_the_others("t", 8);
  flush();
  gate.open();
  wait_for_load("t", wire::BLS_SUCCEED);
  server_.stop();
  EXPECT_GE(left.size(), 5u);
  for (const auto& bytes : left) {
    server_.disk = std::make_unique<SimDisk>(server_.folder / "meta_store", bytes);
    server_.start();
    if (load("t").status != wire::BLS_INVALID)  // else it was killed before it was recorded
      wait_for_load("t", wire::BLS_SUCCEED);
    server_.stop();
  }
}

TEST_F(MetaJobsTest, ALoadThatHasSucceededStaysSoWhenItIsCancelledByForce) {
  const auto app_id = make_table("t", 4);
  TestGate gate(server_.thread.executor(), 2);
  server_.nodes.on_clean = gate.gate();
  start_load("t", app_id, 4);
  gate.wait_until_reached();
  EXPECT_TRUE(load("t").is_loading);
  control("t", LoadControl::kForceCancel);
  EXPECT_TRUE(load("t").status == wire::BLS_SUCCEED);
  gate.open();
  wait_for_load("t", wire::BLS_SUCCEED);
  EXPECT_THAT(stored().at(path_of("/bulk_load", app_id)), HasSubstr("BLS_SUCCEED"));
}

TEST_F(MetaJobsTest, ALoadThatHasFailedStaysSoWhenItIsCancelledByForce) {
  const auto app_id = make_table("t", 4);
  TestGate gate(server_.thread.executor(), 0);
  server_.nodes.on_clean = gate.gate();
  server_.nodes.on_download = [](int32_t) -> Task<> {
    co_return fail(Code::kCorrupt, "1.sst is damaged");
  };
  start_load("t", app_id, 4);
  gate.wait_until_reached();
  control("t", LoadControl::kForceCancel);
  gate.open();
  server_.wait_until([&] {
    const auto now =
        server_.client->run(client::load_status(server_.cluster(), "t", server_.deadline()));
    return !now && now.error().message().contains("1.sst is damaged");
  });
}

TEST_F(MetaJobsTest, ALoadThatTakesFilesInIsCancelledByForce) {
  const auto app_id = make_table("t", 4);
  TestGate gate(server_.thread.executor(), 3);
  server_.nodes.on_ingest = gate.gate();
  start_load("t", app_id, 4);
  gate.wait_until_reached();
  control("t", LoadControl::kForceCancel);
  gate.open();
  wait_for_load("t", wire::BLS_CANCELED);
}

TEST_F(MetaJobsTest, RecordsOfADroppedTableGoWithItsData) {
  const auto app_id = make_table("t", 4);
  const auto backup_id = start_backup(app_id);
  wait_for_backup(app_id);
  start_load("t", app_id, 4);
  wait_for_load("t", wire::BLS_SUCCEED);
  server_.must(client::start_restore(server_.cluster(),
                                     {.cluster = "test",
                                      .backup_id = backup_id,
                                      .table = "t",
                                      .app_id = app_id,
                                      .new_table = "u",
                                      .provider = "local"},
                                     server_.deadline()));
  server_.must(server_.cluster().set_meta_level(client::MetaLevel::kLively, server_.deadline()));
  for (const char* table : {"t", "u"})
    server_.must(server_.cluster().drop_table(table, 600, server_.deadline()));
  server_.time.advance(async::milliseconds(300'000));
  EXPECT_EQ(listed_tables(), 2u);
  EXPECT_EQ(server_.must(client::backup_status(server_.cluster(), app_id, 0, server_.deadline()))
                .items.size(),
            1u);
  server_.wait_until([&] {
    server_.time.advance(async::milliseconds(60'000));
    return listed_tables() == 0;
  });
  EXPECT_FALSE(
      server_.client->run(client::backup_status(server_.cluster(), app_id, 0, server_.deadline())));
  const auto values = stored();
  EXPECT_EQ(values.size(), 1u) << "the next id";
  EXPECT_TRUE(values.contains("/apps"));
}

TEST_F(MetaJobsTest, RecordsStayWhileSomethingStillWorksOnThem) {
  const auto app_id = make_table("t", 4);
  TestGate gate(server_.thread.executor(), 2);
  server_.nodes.on_back_up = gate.gate();
  start_backup(app_id);
  gate.wait_until_reached();
  server_.must(server_.cluster().drop_table("t", 1, server_.deadline()));
  for (int minute = 0; minute < 5; ++minute) {
    server_.time.advance(async::milliseconds(60'000));
    EXPECT_EQ(listed_tables(), 1u);
  }
  gate.open();
  server_.wait_until([&] {
    server_.time.advance(async::milliseconds(60'000));
    return listed_tables() == 0;
  });
  EXPECT_EQ(stored().size(), 1u);
}

TEST_F(MetaJobsTest, WhatAnEarlierVersionLeftGoesOn) {
  server_.stop();
  server_.disk = std::make_unique<SimDisk>();
  for (const auto& entry : std::filesystem::directory_iterator("tests/golden/meta-books"))
    if (entry.path().extension() == ".json")
      std::filesystem::copy(entry.path(), server_.folder.path());
  server_.start();
  wait_for_load("loading", wire::BLS_SUCCEED);
  server_.wait_until([&] {
    const auto table = server_.must(server_.cluster().table_info("restored", server_.deadline()));
    return server_.must(client::restore_status(server_.cluster(), table.app_id, server_.deadline()))
               .at(1)
               .state == client::RestoreState::kDone;
  });
  server_.wait_until([&] {
    const auto items = server_
                           .must(client::backup_status(server_.cluster(), 1, 1'700'000'200'000,
                                                       server_.deadline()))
                           .items;
    return items.at(0).end_time_ms != 0;
  });
  server_.stop();
  server_.start();
  EXPECT_TRUE(load("loading").status == wire::BLS_SUCCEED);
  EXPECT_EQ(listed_tables(), 6u);
}

}  // namespace
}  // namespace pegmove::server::meta
