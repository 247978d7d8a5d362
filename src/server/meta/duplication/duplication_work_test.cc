// Progress of duplications, full duplications, and what a restart finds.
#include "meta_types.h"
#include "server/meta/duplication/duplication_fixture_test.h"

namespace pegmove::server::meta {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using wire::ErrorCode;

class DuplicationWorkTest : public DuplicationTest {
 protected:
  // The disk when each failpoint was first reached, by name. Set before the work begins.
  void note_disks() {
    server_.stop();
    server_.on_failpoint = [this](std::string_view name) {
      disks_.emplace(name, server_.disk->read(store_path()));
    };
    server_.start();
  }
  int64_t confirmed(int32_t app_id, int32_t index) {
    return partition(app_id, index).assignments.at(0).confirmed_decree;
  }

  std::map<std::string, std::string, std::less<>> disks_;
};

TEST_F(DuplicationWorkTest, ProgressIsOnDiskBeforeTheLogIsDropped) {
  const auto app_id = make_table("t");
  const auto id = add_one("t");
  ship(app_id, id, 2, 10);
  server_.disk->fails = true;
  pass_a_second();
  pass_a_second();
  EXPECT_EQ(partition(app_id, 2).log, 0) << "it could not be noted";
  server_.disk->fails = false;
  server_.wait_until([&] {
    pass_a_second();
    return confirmed(app_id, 2) == 10;
  });
  EXPECT_EQ(partition(app_id, 2).log, 10);
  restart();
  EXPECT_EQ(confirmed(app_id, 2), 10);
  EXPECT_EQ(confirmed(app_id, 1), 0);
}

TEST_F(DuplicationWorkTest, WhatIsNotNotedYetIsShippedAgainAfterARestart) {
  const auto app_id = make_table("t");
  const auto id = add_one("t");
  ship(app_id, id, 2, 10);
  on_server([&] {
    server_.nodes.duplicated[{app_id, 2}].shipped.clear();  // the node forgets with its process
    return true;
  });
  restart();
  EXPECT_EQ(confirmed(app_id, 2), 0);
  EXPECT_EQ(entry("t").partition_states.at(2).confirmed_decree, 0);
}

TEST_F(DuplicationWorkTest, AnIdleClusterDoesNotWrite) {
  make_table("t");
  add_one("t");
  const int before = server_.disk->syncs;
  for (int i = 0; i < 10; ++i) {
    server_.wait_until([&] { return server_.time.sleepers() > 0; });
    pass_a_second();
    entry("t");
  }
  EXPECT_EQ(server_.disk->syncs, before);
}

TEST_F(DuplicationWorkTest, AfterAKillBeforeTheNoteNoLogIsKept) {
  const auto app_id = make_table("t");
  note_disks();
  add_one("t");
  restart_from(disks_.at("duplication.log_kept"));
  EXPECT_TRUE(query("t").entry_list.empty());
  EXPECT_FALSE(is_duplicating("t"));
  expect_no_logs(app_id);
}

TEST_F(DuplicationWorkTest, AfterAKillBehindTheNoteItShips) {
  const auto app_id = make_table("t");
  set_decrees(app_id, 5);
  note_disks();
  const auto id = add_one("t");
  restart_from(disks_.at("duplication.noted"));
  EXPECT_EQ(entry("t").dupid, id);
  EXPECT_TRUE(is_duplicating("t"));
  EXPECT_TRUE(partition(app_id, 3).assignments.at(0).ships);
  EXPECT_EQ(confirmed(app_id, 3), 8);
  const auto again = add(adding("t", "B"));
  EXPECT_EQ(again.err.code, ErrorCode::kDupExist);
  EXPECT_EQ(again.dupid, id);
}

TEST_F(DuplicationWorkTest, ADroppedTableRestsAndContinuesWhenItIsRecalled) {
  const auto app_id = make_table("t");
  const auto id = add_one("t");
  server_.must(server_.cluster().drop_table("t", 100, server_.deadline()));
  EXPECT_EQ(query("t").err.code, ErrorCode::kAppNotExist);
  EXPECT_EQ(modify("t", id, wire::DS_REMOVED), ErrorCode::kAppNotExist);
  restart();
  server_.must(server_.cluster().recall_table(app_id, "again", server_.deadline()));
  EXPECT_EQ(entry("again").dupid, id);
  EXPECT_EQ(entry("again").remote_app_name, "t");
  server_.must(server_.cluster().rename_table("again", "t", server_.deadline()));
  EXPECT_EQ(entry("t").dupid, id);
  EXPECT_EQ(partition(app_id, 0).log, 0);
}

TEST_F(DuplicationWorkTest, TheRecordsGoWithTheirTable) {
  const auto app_id = make_table("t");
  add_one("t");
  server_.must(server_.cluster().drop_table("t", 1, server_.deadline()));
  server_.wait_until([&] {
    server_.time.advance(async::milliseconds(60'000));
    return server_.must(server_.cluster().tables(client::ListedTables::kAll, server_.deadline()))
        .empty();
  });
  server_.stop();
  const auto values = (*MetaStore::open(server_.folder.path(), server_.disk->files()))->values();
  EXPECT_TRUE(values_below(values, path_of("/apps", app_id)).empty());
}

// ---- -s

TEST_F(DuplicationWorkTest, AFullDuplicationBeginsAtItsCheckpoints) {
  const auto app_id = make_table("t");
  set_decrees(app_id, 100);
  auto request = adding("t", "B", true);
  request.__set_remote_app_name("copy");
  request.__set_remote_replica_count(1);
  ASSERT_EQ(add(request).err.code, ErrorCode::kOk);
  server_.wait_until([&] { return entry("t").status == wire::DS_LOG; });
  EXPECT_THAT(remote_.calls(), ElementsAre("creating", "check", "created", "check"))
      << "without waiting: no time has passed";
  const auto wanted = remote_.last_request();
  EXPECT_EQ(wanted.remote, "B");
  EXPECT_EQ(wanted.metas, (std::vector<net::HostPort>{{"b.example", 34601}}));
  EXPECT_EQ(wanted.table, "copy");
  EXPECT_EQ(wanted.partition_count, kPartitions);
  EXPECT_EQ(wanted.replica_count, 1);
  EXPECT_EQ(wanted.app_type, "pegasus");
  EXPECT_EQ(wanted.own_cluster, "test");
  EXPECT_EQ(wanted.own_metas, "127.0.0.1:34601");
  EXPECT_EQ(wanted.own_table, "t");
  for (int32_t i = 0; i < kPartitions; ++i) {
    EXPECT_EQ(confirmed(app_id, i), 100 + i);
    EXPECT_TRUE(partition(app_id, i).assignments.at(0).ships);
    EXPECT_EQ(partition(app_id, i).error, "");
  }
}

TEST_F(DuplicationWorkTest, WritesDuringTheCheckpointsAreInTheLog) {
  const auto app_id = make_table("t");
  set_decrees(app_id, 100);
  TestGate gate(server_.thread.executor(), 1);
  server_.nodes.on_checkpoint = gate.gate();
  const auto id = add_one("t", true);
  gate.wait_until_reached();
  EXPECT_EQ(entry("t").status, wire::DS_PREPARE);
  EXPECT_EQ(partition(app_id, 1).log, 101);
  EXPECT_FALSE(partition(app_id, 1).assignments.at(0).ships);
  EXPECT_EQ(modify("t", id, wire::DS_PAUSE), ErrorCode::kInvalidParameters);
  EXPECT_EQ(modify("t", id, wire::DS_LOG), ErrorCode::kInvalidParameters);
  EXPECT_EQ(modify("t", id, wire::DS_APP), ErrorCode::kInvalidParameters);
  on_server([&] {
    server_.nodes.duplicated[{app_id, 1}].last_decree = 130;
    return true;
  });
  gate.open();
  server_.wait_until([&] { return entry("t").status == wire::DS_LOG; });
  EXPECT_EQ(confirmed(app_id, 1), 130);
}

TEST_F(DuplicationWorkTest, AFollowerThatIsRefusedIsTriedAgainAndTheReasonShown) {
  make_table("t");
  for (const std::string kind : {"creating", "check", "created"}) {
    remote_.refuse(kind);
    const auto id = add_one("t", true);
    server_.wait_until([&] { return entry("t").__isset.waits_for; });
    EXPECT_THAT(entry("t").waits_for, HasSubstr("B has another table: " + kind));
    EXPECT_EQ(entry("t").status, kind == "creating" ? wire::DS_PREPARE : wire::DS_APP);
    remote_.refuse("");
    wait_for_status("t", wire::DS_LOG);
    EXPECT_FALSE(entry("t").__isset.waits_for);
    ASSERT_EQ(modify("t", id, wire::DS_REMOVED), ErrorCode::kOk);
  }
}

TEST_F(DuplicationWorkTest, TheFirstPauseBetweenTriesIsFiftyMilliseconds) {
  make_table("t");
  remote_.refuse("creating");
  add_one("t", true);
  server_.wait_until([&] { return entry("t").__isset.waits_for; });
  remote_.refuse("");
  server_.time.advance(async::milliseconds(50));
  server_.wait_until([&] { return entry("t").status == wire::DS_LOG; });
}

TEST_F(DuplicationWorkTest, AFullDuplicationThatIsRemovedEnds) {
  const auto app_id = make_table("t");
  remote_.refuse("creating");
  const auto id = add_one("t", true);
  server_.wait_until([&] { return entry("t").__isset.waits_for; });
  ASSERT_EQ(modify("t", id, wire::DS_REMOVED), ErrorCode::kOk);
  expect_no_logs(app_id);
  remote_.refuse("");
  server_.time.advance(async::milliseconds(60'000));
  EXPECT_TRUE(query("t").entry_list.empty());
  EXPECT_TRUE(remote_.calls().empty());
}

TEST_F(DuplicationWorkTest, AFullDuplicationRestsWhileItsTableIsDropped) {
  const auto app_id = make_table("t");
  remote_.refuse("creating");
  add_one("t", true);
  server_.wait_until([&] { return entry("t").__isset.waits_for; });
  server_.must(server_.cluster().drop_table("t", 1'000'000, server_.deadline()));
  remote_.refuse("");
  server_.time.advance(async::milliseconds(60'000));
  server_.must(server_.cluster().nodes(server_.deadline()));
  EXPECT_TRUE(remote_.calls().empty());
  server_.must(server_.cluster().recall_table(app_id, "", server_.deadline()));
  wait_for_status("t", wire::DS_LOG);
}

// It may have copied the checkpoints of an earlier duplication.
TEST_F(DuplicationWorkTest, ATableThatIsThereBeforeIsNotAdopted) {
  make_table("t");
  remote_.has_table_from_look(1);
  add_one("t", true);
  server_.wait_until([&] { return entry("t").__isset.waits_for; });
  EXPECT_THAT(entry("t").waits_for, HasSubstr("B has the table already"));
  pass_a_second();
  server_.wait_until([&] { return remote_.looks() > 1; });
  EXPECT_EQ(entry("t").status, wire::DS_PREPARE);
  EXPECT_TRUE(remote_.calls().empty());
  remote_.has_table_from_look(0);
  wait_for_status("t", wire::DS_LOG);
}

// What fetches from then on fetches the new checkpoints.
TEST_F(DuplicationWorkTest, TheNameIsFreeWhenTheCheckpointsAreMade) {
  const auto app_id = make_table("t");
  TestGate gate(server_.thread.executor(), 1);
  server_.nodes.on_checkpoint = gate.gate();
  add_one("t", true);
  gate.wait_until_reached();
  EXPECT_EQ(remote_.looks(), 1);
  remote_.has_table_from_look(2);
  set_decrees(app_id, 100);
  gate.open();
  server_.wait_until([&] { return entry("t").__isset.waits_for; });
  EXPECT_TRUE(remote_.calls().empty());
  set_decrees(app_id, 200);
  remote_.has_table_from_look(0);
  wait_for_status("t", wire::DS_LOG);
  EXPECT_EQ(confirmed(app_id, 1), 201) << "of the last checkpoints";
}

TEST_F(DuplicationWorkTest, TheTableThatItHasMadeIsItsOwnAfterAKill) {
  make_table("t");
  note_disks();
  add_one("t", true);
  server_.wait_until([&] { return entry("t").status == wire::DS_LOG; });
  remote_.has_table_from_look(1);
  const auto disk = disks_.at("duplication.follower_made");
  restart_from(disk);
  wait_for_status("t", wire::DS_LOG);
}

TEST_F(DuplicationWorkTest, ATableWhoseCopyIsBeingMadeKeepsItsName) {
  make_table("t");
  for (const std::string kind : {"creating", "check"}) {
    remote_.refuse(kind);
    const auto id = add_one("t", true);
    server_.wait_until([&] { return entry("t").__isset.waits_for; });
    wire::configuration_rename_app_request request;
    request.old_app_name = "t";
    request.new_app_name = "u";
    const auto answer =
        ask<wire::configuration_rename_app_response>(wire::RpcCode::kRenameApp, request);
    EXPECT_EQ(answer.err.code, ErrorCode::kBusy);
    EXPECT_THAT(answer.hint_message, HasSubstr("duplication " + std::to_string(id)));
    EXPECT_EQ(entry("t").dupid, id);
    remote_.refuse("");
    wait_for_status("t", wire::DS_LOG);
    ASSERT_EQ(modify("t", id, wire::DS_REMOVED), ErrorCode::kOk);
  }
  add_one("t");
  server_.must(server_.cluster().rename_table("t", "u", server_.deadline()));
}

TEST_F(DuplicationWorkTest, ThePurgeOfATableEndsItsShipping) {
  const auto app_id = make_table("t");
  add_one("t");
  server_.must(server_.cluster().drop_table("t", 1, server_.deadline()));
  EXPECT_FALSE(partition(app_id, 0).assignments.empty());
  server_.wait_until([&] {
    server_.time.advance(async::milliseconds(60'000));
    return server_.must(server_.cluster().tables(client::ListedTables::kAll, server_.deadline()))
        .empty();
  });
  for (int32_t i = 0; i < kPartitions; ++i) {
    EXPECT_TRUE(partition(app_id, i).assignments.empty());
    EXPECT_EQ(partition(app_id, i).log, std::nullopt);
  }
}

// As an older version has left it, or a store that was put back: adding excludes it.
TEST_F(DuplicationWorkTest, ARecalledTableWhoseTargetIsTakenIsPaused) {
  const auto first = make_table("t");
  const auto id = add_one("t");
  server_.must(server_.cluster().drop_table("t", 1'000'000, server_.deadline()));
  const auto second = make_table("t");
  const auto other = add(adding("t", "C")).dupid;
  server_.stop();
  {
    auto store = *MetaStore::open(server_.folder.path(), server_.disk->files());
    MetaBatch batch;
    put_whole_duplication(batch, {.app_id = second,
                                  .id = other,
                                  .remote = "B",
                                  .remote_table = "t",
                                  .status = wire::DS_LOG,
                                  .confirmed = {0, 0, 0, 0}});
    ASSERT_TRUE(store->commit(std::move(batch)));
  }
  server_.start();
  server_.must(server_.cluster().recall_table(first, "old", server_.deadline()));
  const auto expect_paused = [&] {
    EXPECT_EQ(entry("old").status, wire::DS_PAUSE);
    EXPECT_THAT(entry("old").waits_for, HasSubstr("another app(t) is also duplicated"));
    EXPECT_FALSE(partition(first, 0).assignments.at(0).ships);
    EXPECT_EQ(entry("t").status, wire::DS_LOG);
    EXPECT_FALSE(entry("t").__isset.waits_for);
  };
  expect_paused();
  EXPECT_EQ(modify("old", id, wire::DS_LOG), ErrorCode::kBusy);
  restart();
  expect_paused();
  ASSERT_EQ(modify("t", other, wire::DS_REMOVED), ErrorCode::kOk);
  EXPECT_FALSE(entry("old").__isset.waits_for);
  EXPECT_EQ(modify("old", id, wire::DS_LOG), ErrorCode::kOk);
  EXPECT_TRUE(partition(first, 0).assignments.at(0).ships);
}

// Checkpoints after the first ones may be newer than what the target has fetched.
TEST_F(DuplicationWorkTest, AfterAKillAtAnyStepNothingIsMissed) {
  const auto app_id = make_table("t");
  set_decrees(app_id, 100);
  note_disks();
  add_one("t", true);
  server_.wait_until([&] { return entry("t").status == wire::DS_LOG; });
  server_.stop();
  const auto disks = std::exchange(disks_, {});
  server_.on_failpoint = {};
  const auto nodes = server_.nodes.duplicated;
  int steps = 0;
  for (const auto* step :
       {"duplication.noted", "duplication.checkpoints_noted", "duplication.follower_made",
        "duplication.app_noted", "duplication.follower_completed", "duplication.log_noted"}) {
    SCOPED_TRACE(step);
    ++steps;
    server_.nodes.duplicated = nodes;
    server_.disk = std::make_unique<SimDisk>(store_path(), disks.at(step));
    for (int32_t i = 0; i < kPartitions; ++i) {
      server_.nodes.duplicated[{app_id, i}].last_decree = 900;  // clients write on
      // As the log was then.
      server_.nodes.duplicated[{app_id, i}].log = 100 + i;
    }
    server_.start();
    wait_for_status("t", wire::DS_LOG);
    for (int32_t i = 0; i < kPartitions; ++i) {
      EXPECT_EQ(confirmed(app_id, i), step == std::string("duplication.noted") ? 900 : 100 + i);
      EXPECT_EQ(partition(app_id, i).error, "");
    }
    server_.stop();
  }
  EXPECT_EQ(steps, 6);
}

}  // namespace
}  // namespace pegmove::server::meta
