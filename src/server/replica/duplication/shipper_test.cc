// A shipper between a log and a target that the test controls.
#include "server/replica/duplication/shipper.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "data_types.h"
#include "record/hash.h"
#include "record/key.h"
#include "server/replica/duplication/controlled_log_test.h"
#include "testing/fake_partition.h"

namespace pegmove::server::replica {
namespace {

using async::milliseconds;
using store::LoggedCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kLoopback;
using wire::ErrorCode;

std::string put_body(const std::string& hash, const std::string& value) {
  wire::update_request request;
  request.key.data = record::encode_key(hash, "s");
  request.value.data = value;
  return wire::encode_body(request, 1);  // as from clients in other languages
}

std::string remove_body(const std::string& hash) {
  return wire::encode_body(wire::blob{record::encode_key(hash, "s")});
}

class ShipperTest : public ::testing::Test {
 protected:
  ~ShipperTest() override {
    held.clear();
    run(close());
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Routine<bool> close() {
    watching.stop();
    if (shipper) shipper->stop();
    co_await client.close();                // no result
    if (shipper) co_await shipper->join();  // no result
    co_await watching.join();               // no result
    co_return co_await target.stop();
  }
  duplication::Assignment assignment() {
    return {.id = 5,
            .remote = "B",
            .metas = {*net::parse_host_port(target.meta_address().to_string())},
            .remote_table = "t",
            .fail_mode = duplication::FailMode::kSlow,
            .ships = true,
            .confirmed_decree = confirmed};
  }
  void start() {
    auto table = std::make_shared<shipping::TargetTable>(client, "B", assignment().metas, "t");
    shipper = std::make_shared<Shipper>(Shipping{.executor = context.get_executor(),
                                                 .client = client,
                                                 .clocks = clocks,
                                                 .on_failpoint = on_failpoint,
                                                 .cluster_id = cluster_id,
                                                 .most_piece_bytes = most_piece_bytes},
                                        std::make_unique<FakeLog>(log), Gpid{1, 0}, assignment(),
                                        table, Logger("test"));
    shipper->start();
  }
  // A node that says its time; before start().
  void give_clock(std::function<int64_t()> unix_us) {
    target.unix_us = std::move(unix_us);
    run(target.move_node(kLoopback));
  }
  // Old enough for any clock unless said.
  void write(std::vector<std::pair<LoggedCode, std::string>> writes, int64_t timestamp_us = 1'000) {
    log->mutations.push_back({++log->last_decree, timestamp_us, std::move(writes)});
    if (shipper) shipper->wake();
  }
  void put(const std::string& hash, const std::string& value, int64_t timestamp_us = 1'000) {
    write({{LoggedCode::kPut, put_body(hash, value)}}, timestamp_us);
  }
  // Keeps requests, for the test to answer.
  void keep_requests() {
    target.on_data = [this](net::IncomingCall call) { held.push_back(std::move(call)); };
  }
  void answer_ok(net::IncomingCall call) { answer(std::move(call), 0); }
  void answer(net::IncomingCall call, int32_t error, const std::string& hint = {}) {
    wire::duplicate_response response;
    response.__set_error(error);
    if (!hint.empty()) response.__set_error_hint(hint);
    call.reply(ErrorCode::kOk, wire::encode_body(response));
  }
  // Carries out and remembers what arrives.
  void take_all() {
    target.on_data = [this](net::IncomingCall call) {
      take(call);
      answer_ok(std::move(call));
    };
  }
  void take(const net::IncomingCall& call) {
    auto request = wire::decode_duplicate(call.body());
    ASSERT_TRUE(request) << request.error().to_string();
    for (const auto& entry : request->entries) {
      auto put = wire::decode_put(entry.raw_message);
      ASSERT_TRUE(put);
      taken.emplace_back(call.head().gpid.partition_index, std::string(put->value));
    }
    largest = std::max(largest, call.body().size());
  }
  std::vector<std::string> values() const {
    std::vector<std::string> list;
    for (const auto& [index, value] : taken) list.push_back(value);
    return list;
  }
  template <typename Condition>
  Routine<bool> wait_until(Condition condition) {
    const auto give_up = async::SystemClock().now() + milliseconds(20'000);
    while (!condition() && async::SystemClock().now() < give_up)
      co_await clock.sleep_for(milliseconds(1));  // no result
    co_return condition();
  }
  template <typename Condition>
  bool until(Condition condition) {
    return run(wait_until(std::move(condition)));
  }
  bool until_held(size_t count) {
    return until([this, count] { return held.size() >= count; });
  }
  bool until_shipped(int64_t decree) {
    return until([this, decree] { return shipper->progress().shipped_decree >= decree; });
  }
  // Lets what is ready happen.
  void settle() {
    int rounds = 0;
    (void)until([&] { return ++rounds > 30; });
  }

  asio::io_context context;
  AdvancedClock clock;
  testing::FakePartition target{context.get_executor(), clock};
  client::Client client{context.get_executor(), clock};
  shipping::ServerClocks clocks{client, Logger("test")};
  async::TaskGroup watching{context.get_executor()};
  std::shared_ptr<LogContents> log = std::make_shared<LogContents>();
  std::shared_ptr<Shipper> shipper;
  std::function<void(std::string_view)> on_failpoint;
  int64_t confirmed = 0;
  uint8_t cluster_id = 1;
  size_t most_piece_bytes = 512 << 10;
  std::vector<net::IncomingCall> held;
  std::vector<std::pair<int32_t, std::string>> taken;  // target partition and value
  size_t largest = 0;
  // Of the target's clock: asked until the node has ended.
  int64_t behind_us = 0, server_time = 0;
};

TEST_F(ShipperTest, EntriesAreTheClientsBytesInTheOrderOfTheLog) {
  keep_requests();
  const auto put = put_body("h", "v"), removed = remove_body("h");
  write({{LoggedCode::kPut, put}, {LoggedCode::kRemove, removed}}, 1'000);
  write({{LoggedCode::kPut, put}}, 2'000);
  start();
  ASSERT_TRUE(until_held(1));
  const auto& head = held[0].head();
  EXPECT_EQ(head.gpid, (Gpid{7, 0}));
  EXPECT_EQ(head.timeout_ms, 100'000);
  EXPECT_EQ(head.partition_hash, record::key_hash("h", "s"));
  auto request = wire::decode_duplicate(held[0].body());
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->source, (wire::DuplicateSource{1, 0, 77}));
  ASSERT_EQ(request->entries.size(), 3);
  const std::vector<std::tuple<int64_t, std::string_view, std::string, wire::DuplicatePosition>>
      expected{{1'000, "RPC_RRDB_RRDB_PUT", put, {1, 0}},
               {1'000, "RPC_RRDB_RRDB_REMOVE", removed, {1, 1}},
               {2'000, "RPC_RRDB_RRDB_PUT", put, {2, 0}}};
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto& [at, code, message, cluster, verify, position] = request->entries[i];
    EXPECT_EQ(std::tuple(at, code, std::string(message), *position), expected[i]);
    EXPECT_EQ(std::pair(cluster, verify), std::pair(int8_t(1), false));
  }
  EXPECT_EQ(shipper->progress().shipped_decree, 0);
  answer_ok(std::move(held[0]));
  ASSERT_TRUE(until_shipped(2));
  EXPECT_EQ(log->metrics.shipped_successful_requests.value(), 1);
  EXPECT_EQ(log->metrics.confirmed_mutations.value(), 2);
  EXPECT_EQ(log->metrics.log_read_mutations.value(), 2);
}

TEST_F(ShipperTest, OneRequestIsUnderWayAndTheRestFollowsInTheNext) {
  keep_requests();
  put("h", "1");
  start();
  ASSERT_TRUE(until_held(1));
  for (const char* value : {"2", "3", "4"}) put("h", value);
  settle();
  ASSERT_EQ(held.size(), 1);
  answer_ok(std::move(held[0]));
  ASSERT_TRUE(until_held(2));
  take(held[1]);
  EXPECT_THAT(values(), ElementsAre("2", "3", "4"));
  answer_ok(std::move(held[1]));
  EXPECT_TRUE(until_shipped(4));
}

TEST_F(ShipperTest, ARequestThatFailsIsRepeatedUntilItIsCarriedOut) {
  struct Answer {
    ErrorCode error;
    int32_t storage_error;
    bool asks_where_it_is;
  };
  const std::vector<Answer> answers{
      {ErrorCode::kBusy, 0, false},          {ErrorCode::kInvalidState, 0, true},
      {ErrorCode::kObjectNotFound, 0, true}, {ErrorCode::kTimeout, 0, true},
      {ErrorCode::kOk, 13, false},           {ErrorCode::kOk, 4, false}};
  keep_requests();
  put("h", "v");
  start();
  ASSERT_TRUE(until_held(1));
  const std::string body(held[0].body());
  for (const auto& [error, storage_error, asks] : answers) {
    const auto queries = target.config_queries;
    const auto count = held.size();
    put("h", "later");  // must not join, nor overtake
    if (error == ErrorCode::kOk)
      answer(std::move(held.back()), storage_error, "the hint");
    else
      held.back().reply(error);
    ASSERT_TRUE(until_held(count + 1));
    EXPECT_EQ(held.back().body(), body);
    EXPECT_EQ(target.config_queries - queries, asks ? 1 : 0) << wire::error_name(error);
    EXPECT_EQ(shipper->progress().shipped_decree, 0);
    EXPECT_THAT(shipper->progress().waits_for,
                HasSubstr(error == ErrorCode::kOk ? "the hint" : wire::error_name(error)));
  }
  answer_ok(std::move(held.back()));
  ASSERT_TRUE(until_held(answers.size() + 2));
  EXPECT_EQ(log->metrics.shipped_failed_requests.value(), int64_t(answers.size()));
  answer_ok(std::move(held.back()));
  ASSERT_TRUE(until_shipped(1 + int64_t(answers.size())));
  EXPECT_THAT(shipper->progress().waits_for, IsEmpty());
}

TEST_F(ShipperTest, AfterAClosedConnectionTheSameRequestIsSentAtOnce) {
  give_clock([this] { return clock.unix_us(); });
  keep_requests();
  put("h", "v");
  start();
  ASSERT_TRUE(until_held(1));
  const std::string body(held[0].body());
  const auto queries = target.config_queries, clock_queries = target.clock_queries;
  clock.pauses = 0;
  // The client closes its connection when a reply is too large.
  held[0].reply(ErrorCode::kOk, std::string(wire::kMaxFrameSize + 1, 'x'));
  ASSERT_TRUE(until_held(2));
  EXPECT_EQ(held[1].body(), body);
  EXPECT_EQ(clock.pauses, 0);
  EXPECT_EQ(target.config_queries, queries);
  EXPECT_GT(target.clock_queries, clock_queries);  // the server may have been replaced
  held[1].reply(ErrorCode::kOk, std::string(wire::kMaxFrameSize + 1, 'x'));
  ASSERT_TRUE(until_held(3));
  EXPECT_GT(clock.pauses, 0);
  answer_ok(std::move(held[2]));
  EXPECT_TRUE(until_shipped(1));
}

TEST_F(ShipperTest, ATargetThatMovedIsFound) {
  give_clock([this] { return clock.unix_us(); });
  keep_requests();
  put("h", "v");
  start();
  ASSERT_TRUE(until_held(1));
  run(target.move_node(kLoopback + 1));
  ASSERT_TRUE(until_held(2));
  EXPECT_GT(target.config_queries, 1);
  answer_ok(std::move(held[1]));
  EXPECT_TRUE(until_shipped(1));
}

TEST_F(ShipperTest, AfterALateReplyTheRequestIsRepeatedAndOnlyItsReplyCounts) {
  keep_requests();
  put("h", "v");
  start();
  ASSERT_TRUE(until_held(1));
  settle();
  ASSERT_EQ(held.size(), 1);
  clock.advanced += milliseconds(10'500);
  ASSERT_TRUE(until_held(2));
  EXPECT_EQ(held[1].body(), held[0].body());
  answer_ok(std::move(held[0]));
  settle();
  EXPECT_EQ(shipper->progress().shipped_decree, 0);
  // The next reply may take longer.
  clock.advanced += milliseconds(15'000);
  settle();
  EXPECT_EQ(held.size(), 2);
  answer_ok(std::move(held[1]));
  EXPECT_TRUE(until_shipped(1));
}

TEST_F(ShipperTest, RequestsThatAreTooLargeForTheTargetAreCutSmaller) {
  std::vector<std::string> written;
  target.on_data = [this](net::IncomingCall call) {
    if (call.body().size() > 1'000) return call.reply(ErrorCode::kInvalidData);
    take(call);
    answer_ok(std::move(call));
  };
  for (int i = 0; i < 50; ++i)
    put("h" + std::to_string(i % 3), written.emplace_back(std::to_string(i)));
  start();
  ASSERT_TRUE(until_shipped(50));
  EXPECT_EQ(values(), written);
  EXPECT_GT(largest, 400);  // not one by one
}

TEST_F(ShipperTest, ASingleWriteThatIsTooLargeSaysWhatToDo) {
  target.on_data = [this](net::IncomingCall call) {
    if (target.config_queries < 100) return call.reply(ErrorCode::kInvalidData);
    take(call);
    answer_ok(std::move(call));
  };
  put("h", "large");
  start();
  ASSERT_TRUE(until([&] { return !shipper->progress().waits_for.empty(); }));
  EXPECT_THAT(shipper->progress().waits_for, HasSubstr("max_allowed_write_size"));
  target.config_queries = 100;  // from now on it is accepted
  EXPECT_TRUE(until_shipped(1));
}

TEST_F(ShipperTest, EntriesGoToTheTargetsPartitionsOfTheirKeys) {
  target.partitions = 4;
  take_all();
  std::map<std::string, std::vector<std::string>> written, arrived;
  for (int i = 0; i < 60; ++i) {
    const auto key = "k" + std::to_string(i % 10);
    const auto value = key + ":" + std::to_string(i);
    written[key].push_back(value);
    put(key, value);
  }
  start();
  ASSERT_TRUE(until_shipped(60));
  std::set<int32_t> used;
  for (const auto& [index, value] : taken) {
    const auto key = value.substr(0, value.find(':'));
    EXPECT_EQ(index, record::partition_index(record::key_hash(key, "s"), 4));
    arrived[key].push_back(value);
    used.insert(index);
  }
  EXPECT_EQ(arrived, written);
  EXPECT_GT(used.size(), 1);
}

TEST_F(ShipperTest, ASplitOfTheTargetIsFollowed) {
  target.on_data = [this](net::IncomingCall call) {
    if (target.partitions == 1) {
      target.partitions = 2;
      return call.reply(ErrorCode::kParentPartitionMisused);
    }
    take(call);
    answer_ok(std::move(call));
  };
  for (int i = 0; i < 20; ++i) put("k" + std::to_string(i), "k" + std::to_string(i));
  start();
  ASSERT_TRUE(until_shipped(20));
  EXPECT_EQ(taken.size(), 20);
  for (const auto& [index, key] : taken)
    EXPECT_EQ(index, record::partition_index(record::key_hash(key, "s"), 2));
}

TEST_F(ShipperTest, AnEntryWaitsUntilTheTargetsClockHasPassedItsTime) {
  behind_us = 5'000'000;
  give_clock([this] { return clock.unix_us() - behind_us; });
  target.on_data = [&](net::IncomingCall call) {
    server_time = clock.unix_us() - behind_us;
    answer_ok(std::move(call));
  };
  const auto written = clock.unix_us();
  put("h", "v", written);
  start();
  ASSERT_TRUE(until([&] { return !shipper->progress().waits_for.empty(); }));
  EXPECT_THAT(shipper->progress().waits_for, HasSubstr("the clock of 127.0.0.1:"));
  clock.advanced += milliseconds(4'000);
  settle();
  EXPECT_EQ(shipper->progress().shipped_decree, 0);
  clock.advanced += milliseconds(1'010);
  ASSERT_TRUE(until_shipped(1));
  EXPECT_GE(server_time, written);
  EXPECT_THAT(shipper->progress().waits_for, IsEmpty());
}

TEST_F(ShipperTest, AClockThatIsSetBackIsNoticed) {
  give_clock([this] { return clock.unix_us() - behind_us; });
  watching.spawn(clocks.watch(watching));
  take_all();
  put("h", "1", clock.unix_us());
  start();
  ASSERT_TRUE(until_shipped(1));
  behind_us = 3'600'000'000;
  const auto queries = target.clock_queries;
  ASSERT_TRUE(until([&] { return target.clock_queries > queries; }));
  settle();
  put("h", "2", clock.unix_us());
  settle();
  EXPECT_EQ(shipper->progress().shipped_decree, 1);
  clock.advanced += milliseconds(3'610'000);
  EXPECT_TRUE(until_shipped(2));
}

TEST_F(ShipperTest, AServerThatDoesNotSayItsTimeIsTakenForASecondBehind) {
  take_all();
  put("h", "v", clock.unix_us());
  start();
  settle();
  EXPECT_EQ(shipper->progress().shipped_decree, 0);
  clock.advanced += milliseconds(1'100);
  EXPECT_TRUE(until_shipped(1));
}

TEST_F(ShipperTest, ShippingBeginsBehindTheConfirmedDecree) {
  take_all();
  for (const char* value : {"1", "2", "3"}) put("h", value);
  confirmed = 2;
  start();
  ASSERT_TRUE(until_shipped(3));
  EXPECT_THAT(values(), ElementsAre("3"));
}

TEST_F(ShipperTest, ManyPiecesArriveCompleteAndInOrder) {
  most_piece_bytes = 100;
  take_all();
  std::vector<std::string> written;
  for (int i = 0; i < 100; ++i) put("h", written.emplace_back(std::to_string(i)));
  start();
  ASSERT_TRUE(until_shipped(100));
  EXPECT_EQ(values(), written);
}

TEST_F(ShipperTest, APausedDuplicationShipsNothingUntilItIsStarted) {
  take_all();
  put("h", "1");
  start();
  ASSERT_TRUE(until_shipped(1));
  auto paused = assignment();
  paused.ships = false;
  shipper->assign(paused);
  put("h", "2");
  settle();
  EXPECT_EQ(shipper->progress().shipped_decree, 1);
  EXPECT_EQ(shipper->progress().waiting_mutations, 1);
  shipper->assign(assignment());
  EXPECT_TRUE(until_shipped(2));
  EXPECT_THAT(values(), ElementsAre("1", "2"));
}

TEST_F(ShipperTest, DecreesWithoutEntriesAreConfirmedWithoutARequest) {
  take_all();
  put("h", "1");
  start();
  ASSERT_TRUE(until_shipped(1));
  log->last_decree = 9;  // writes of other clusters
  EXPECT_TRUE(until_shipped(9));
  EXPECT_EQ(log->metrics.shipped_successful_requests.value(), 1);
}

TEST_F(ShipperTest, AHoleEndsTheDuplicationWithItsDecrees) {
  take_all();
  put("h", "1");
  start();
  ASSERT_TRUE(until_shipped(1));
  log->error = Error(Code::kCorrupt, "the log has no entry between decrees 1 and 7");
  put("h", "2");
  ASSERT_TRUE(until([&] { return !shipper->progress().error.empty(); }));
  EXPECT_THAT(shipper->progress().error, HasSubstr("between decrees 1 and 7"));
  EXPECT_THAT(shipper->progress().error, HasSubstr("from decree 2 on"));
  log->error.reset();
  put("h", "3");
  settle();
  EXPECT_EQ(shipper->progress().shipped_decree, 1);
}

TEST_F(ShipperTest, FilesOlderThanWhatIsConfirmedEndTheDuplication) {
  take_all();
  put("h", "1");
  confirmed = 10;
  start();
  ASSERT_TRUE(until([&] { return !shipper->progress().error.empty(); }));
  EXPECT_THAT(shipper->progress().error, HasSubstr("last decree is 1"));
  EXPECT_THAT(shipper->progress().error, HasSubstr("confirmed 10"));
  EXPECT_THAT(taken, IsEmpty());
}

TEST_F(ShipperTest, ALogThatCannotBeReadNowIsReadLater) {
  take_all();
  log->error = Error(Code::kIo, "input/output error");
  put("h", "1");
  start();
  ASSERT_TRUE(until([&] { return !shipper->progress().waits_for.empty(); }));
  EXPECT_THAT(shipper->progress().waits_for, HasSubstr("input/output error"));
  log->error.reset();
  EXPECT_TRUE(until_shipped(1));
}

TEST_F(ShipperTest, AClusterThatIsNotConfiguredAnyMoreIsNamed) {
  shipping::TargetTable table(client, "B", {}, "t");
  auto count = run(table.partition_count());
  ASSERT_FALSE(count);
  EXPECT_THAT(count.error().to_string(), HasSubstr("cluster 'B'"));
  EXPECT_THAT(count.error().to_string(), HasSubstr("[pegasus.clusters]"));
}

TEST_F(ShipperTest, EndsWhenItIsStoppedAsItsRequestIsAnswered) {
  take_all();
  put("h", "1");
  for (const auto* point : {"duplication.piece_read", "duplication.request_sent",
                            "duplication.request_answered", "duplication.piece_shipped"}) {
    SCOPED_TRACE(point);
    on_failpoint = [&](std::string_view reached) {
      if (reached == point) shipper->stop();
    };
    start();
    async::TaskGroup joining(context.get_executor());
    joining.spawn(shipper->join());
    const bool has_ended = until([&] { return joining.running() == 0; });
    EXPECT_TRUE(has_ended);
    if (!has_ended) shipper->wake();
    run(joining.join());
  }
}

TEST_F(ShipperTest, WithoutAnOwnIdNothingIsShipped) {
  cluster_id = 0;
  take_all();
  put("h", "1");
  start();
  settle();
  EXPECT_THAT(taken, IsEmpty());
  EXPECT_THAT(shipper->progress().waits_for, HasSubstr("[duplication-group]"));
}

}  // namespace
}  // namespace pegmove::server::replica
