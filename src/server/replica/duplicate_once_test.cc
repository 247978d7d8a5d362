// DUPLICATE requests of embedded clusters, which name where their entries are in a log: each entry
// is carried out once.
#include <gmock/gmock.h>

#include "server/replica/faulty_partition_test.h"

namespace pegmove::server::replica {
namespace {

struct Entry {
  int64_t decree;
  int32_t write_index;
  int row;
  std::string value;  // "": a remove
};

constexpr store::SourcePartition kSource{.cluster_id = 2, .app_id = 7, .partition_index = 3};

class DuplicateOnce : public ::testing::Test {
 protected:
  static constexpr int64_t kLog = 99;

  // log_id 0: as a real source, which names none.
  static Write request(const std::vector<Entry>& entries, int64_t log_id = kLog,
                       const store::SourcePartition& source = kSource, int64_t later_us = 0) {
    wire::duplicate_request request;
    for (const auto& [decree, write_index, row, value] : entries) {
      auto& entry = request.entries.emplace_back();
      const Write write{.row = row, .value = value};
      entry.__set_timestamp(1'000'000 + decree + later_us);
      entry.__set_task_code({value.empty() ? "RPC_RRDB_RRDB_REMOVE" : "RPC_RRDB_RRDB_PUT"});
      entry.__set_raw_message({write.body(0)});
      entry.__set_cluster_id(int8_t(source.cluster_id));
      if (log_id == 0) continue;
      entry.__set_decree(decree);
      entry.__set_write_index(write_index);
    }
    wire::duplicate_source log;
    log.app_id = source.app_id;
    log.partition_index = source.partition_index;
    log.log_id = log_id;
    if (log_id != 0) request.__set_source(log);
    return {.value = "", .code = RpcCode::kDuplicate, .raw = wire::encode_body(request)};
  }
  // Whether it was written.
  bool send(const Write& write) { return partition_.send({write})[0].has_value(); }
  void set(int row, const std::string& value) { ASSERT_TRUE(send({.row = row, .value = value})); }
  std::string value_of(int row) {
    const auto found = partition_.db().get(key_of(row));
    return found && *found ? std::string((*found)->user_data()) : "";
  }
  void reopen() {
    partition_.close();
    partition_.open();
  }

  Partition partition_{false};
};

TEST_F(DuplicateOnce, ARepeatedRequestChangesNothingAfterANewerWriteOrRemove) {
  const auto shipped = request({{5, 0, 1, "old"}, {5, 1, 2, "old"}, {6, 0, 3, ""}});
  ASSERT_TRUE(send(shipped));
  EXPECT_EQ(value_of(1), "old");
  EXPECT_EQ(value_of(2), "old");
  set(1, "new");
  set(2, "");
  set(3, "new");
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(send(shipped));
    EXPECT_EQ(value_of(1), "new");
    EXPECT_EQ(value_of(2), "");
    EXPECT_EQ(value_of(3), "new");
    reopen();
  }
}

TEST_F(DuplicateOnce, ARequestThatCameTwiceAtTheSameTimeIsCarriedOutOnce) {
  const auto shipped = request({{5, 0, 1, "old"}});
  const Write local{.row = 1, .value = "new"};
  for (const auto& decree : partition_.send({shipped, local, shipped})) ASSERT_TRUE(decree);
  EXPECT_EQ(value_of(1), "new");
}

TEST_F(DuplicateOnce, OfAPartlyRepeatedRequestOnlyTheNewPartIsCarriedOut) {
  ASSERT_TRUE(send(request({{5, 0, 1, "5.0"}, {5, 1, 2, "5.1"}})));
  for (int row : {1, 2, 3, 4}) set(row, "local");
  ASSERT_TRUE(send(request({{5, 1, 2, "5.1"}, {5, 2, 3, "5.2"}, {6, 0, 4, "6.0"}})));
  EXPECT_EQ(value_of(2), "local");
  EXPECT_EQ(value_of(3), "5.2");
  EXPECT_EQ(value_of(4), "6.0");
  EXPECT_EQ(partition_.db().received_from(kSource),
            (store::ReceivedPosition{kLog, 6, 0, 1'000'006}));
}

TEST_F(DuplicateOnce, AnotherLogStartsAfresh) {
  ASSERT_TRUE(send(request({{50, 0, 1, "first log"}})));
  ASSERT_TRUE(send(request({{5, 0, 1, "second log"}}, kLog + 1)));
  EXPECT_EQ(value_of(1), "second log");
  set(1, "local");
  ASSERT_TRUE(send(request({{5, 0, 1, "second log"}}, kLog + 1)));
  EXPECT_EQ(value_of(1), "local");
  EXPECT_EQ(partition_.db().received_from(kSource),
            (store::ReceivedPosition{kLog + 1, 5, 0, 1'000'005}));
}

TEST_F(DuplicateOnce, ALateRequestOfAnEarlierLogIsSkipped) {
  const auto late = request({{5, 0, 1, "first log"}});
  ASSERT_TRUE(send(late));
  ASSERT_TRUE(send(request({{6, 0, 1, "second log"}}, kLog + 1)));
  ASSERT_TRUE(send(late));
  EXPECT_EQ(value_of(1), "second log");
}

// The source's whole data folder was put back: the log is the same, decrees come again.
TEST_F(DuplicateOnce, OtherWritesWithTheSameDecreesAreCarriedOut) {
  ASSERT_TRUE(send(request({{5, 0, 1, "5"}, {6, 0, 2, "6"}, {7, 0, 3, "7"}})));
  const auto again = request({{6, 0, 2, "other 6"}, {7, 0, 4, "other 7"}}, kLog, kSource, 1'000);
  ASSERT_TRUE(send(again));
  EXPECT_EQ(value_of(2), "other 6");
  EXPECT_EQ(value_of(4), "other 7");
  set(2, "local");
  set(4, "local");
  reopen();
  ASSERT_TRUE(send(again));
  EXPECT_EQ(value_of(2), "local");
  EXPECT_EQ(value_of(4), "local");
}

TEST_F(DuplicateOnce, EachSourcePartitionHasItsOwnPosition) {
  ASSERT_TRUE(send(request({{50, 0, 1, "a"}})));
  ASSERT_TRUE(send(request({{5, 0, 1, "b"}}, kLog, {2, 7, 4})));
  EXPECT_EQ(value_of(1), "b");
  ASSERT_TRUE(send(request({{5, 0, 1, "c"}}, kLog, {2, 8, 3})));
  EXPECT_EQ(value_of(1), "c");
  set(1, "local");
  ASSERT_TRUE(send(request({{50, 0, 1, "a"}})));
  EXPECT_EQ(value_of(1), "local");
}

TEST_F(DuplicateOnce, AFailedWriteMovesNoPosition) {
  ASSERT_TRUE(send(request({{5, 0, 1, "5"}})));
  const auto next = request({{6, 0, 1, "6"}});
  partition_.disk.set_plan([](const DiskOperation& operation) -> DiskFault {
    if (!operation.path.ends_with(".log") && !operation.path.ends_with(".sst")) return {};
    return {.kind = DiskFault::Kind::kRefused, .is_full = true};
  });
  ASSERT_FALSE(send(next));
  EXPECT_EQ(partition_.db().received_from(kSource),
            (store::ReceivedPosition{kLog, 5, 0, 1'000'005}));
  EXPECT_EQ(value_of(1), "5");
  partition_.disk.set_plan(nullptr);
  if (partition_.db().needs_reopen()) reopen();
  ASSERT_TRUE(send(next));
  EXPECT_EQ(value_of(1), "6");
  EXPECT_EQ(partition_.db().received_from(kSource),
            (store::ReceivedPosition{kLog, 6, 0, 1'000'006}));
}

TEST_F(DuplicateOnce, ARequestOfARealSourceIsAlwaysCarriedOut) {
  const auto plain = request({{5, 0, 1, "remote"}}, 0);
  ASSERT_TRUE(send(request({{50, 0, 1, "of a log"}})));
  for (int i = 0; i < 2; ++i) {
    set(1, "local");
    ASSERT_TRUE(send(plain));
    EXPECT_EQ(value_of(1), "remote");
  }
}

}  // namespace
}  // namespace pegmove::server::replica
