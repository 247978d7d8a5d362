// The target of a relay, against a table whose server the test controls.
#include "relay/cluster_target.h"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "async/run.h"
#include "relay/advanced_clock_test.h"
#include "relay/shipped_requests_test.h"
#include "testing/fake_partition.h"

namespace pegmove::relay {
namespace {

using async::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using wire::ErrorCode;
using wire::RpcCode;

// Counts who sleeps for a second.
class SecondsClock : public AdvancedClock {
 public:
  Routine<> sleep_until(async::Instant at) override {
    const auto length = at - now();
    seconds += length > milliseconds(900) && length <= milliseconds(1'000);
    return AdvancedClock::sleep_until(at);
  }
  int seconds = 0;
};

class ClusterTargetTest : public ::testing::Test {
 protected:
  ClusterTargetTest() {
    server.unix_us = [this] { return server_us; };
    run(move_node());  // now with a clock
    server.on_data = [this](net::IncomingCall call) { answer(std::move(call)); };
    server.on_nodes = [this](auto& response) {
      ++node_queries;
      if (!has_other) return;
      auto& info = response.infos.emplace_back();
      info.node = wire::rpc_address::of(testing::kLoopback, other.node_address().port);
      info.status = wire::NS_ALIVE;
    };
  }
  ~ClusterTargetTest() override {
    held.clear();
    run(close());
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Routine<bool> move_node() { co_return co_await server.move_node(testing::kLoopback); }
  Routine<bool> close() {
    if (target) target->stop();
    co_await client.close();              // no result
    if (target) co_await target->join();  // no result
    co_await other.stop();                // no result
    co_return co_await server.stop();
  }
  void answer(net::IncomingCall call) {
    const auto code = wire::rpc_code_from_name(call.head().name);
    codes.push_back(code);
    hashes.push_back(call.head().partition_hash);
    if (code == RpcCode::kDuplicate)
      for (const auto& view : wire::decode_duplicate(call.body())->entries) {
        received.push_back(text_of({.view = view}));
        times.push_back(view.timestamp_us);
        all_verify &= view.verify_timetag;
        all_have_cluster &= view.cluster_id == 3;
      }
    else
      received.push_back(
          text_of({.view = {.task_code = call.head().name, .raw_message = call.body()}}));
    if (holds) return held.push_back(std::move(call));
    on_request();
    if (error != ErrorCode::kOk) return call.reply(error);
    if (code != RpcCode::kDuplicate) return testing::FakePartition::acknowledge(call);
    wire::duplicate_response response;
    response.__set_error(status);
    if (status != 0) response.__set_error_hint("self-duplicating");
    call.reply(ErrorCode::kOk, wire::encode_body(response));
  }
  Sent send(const std::vector<Write>& writes, WriteMethod method = WriteMethod::kDuplicate) {
    if (!target) begin(method);
    request = *ShippedRequest::parse(shipped(writes), method);
    return run(send_all());
  }
  void begin(WriteMethod method) {
    target = std::make_unique<ClusterTarget>(
        context.get_executor(), client,
        ClusterTargetOptions{.cluster = "B",
                             .metas = {*net::parse_host_port(server.meta_address().to_string())},
                             .table = "u",
                             .app_id = app_id,
                             .method = method,
                             .check_server = [this](net::HostPort) { return check(); }},
        Logger("test"));
  }
  Task<> check() {
    ++checks;
    if (server_refusal) co_return fail(*server_refusal);
    co_return Result<void>();
  }
  // A server that has no partition of the table yet, with a clock of its own.
  void add_other() {
    other.unix_us = [this] { return other_us; };
    run(other.move_node(testing::kLoopback));
    has_other = true;
  }
  Routine<Sent> send_all() {
    auto count = co_await target->partition_count();
    co_return co_await target->send({.index = 0,
                                     .partition_count = count.value_or(1),
                                     .entries = request->entries(),
                                     .source = request->source()},
                                    [this] { return may_send(); });
  }
  Result<Deadline> may_send() {
    ++asked;
    before_asked();
    if (refusal) return fail(*refusal);
    return Deadline::in(clock, forward_time);
  }

  asio::io_context context;
  AdvancedClock servers_clock;
  SecondsClock clock;
  testing::FakePartition server{context.get_executor(), servers_clock};
  testing::FakePartition other{context.get_executor(), servers_clock};
  client::Client client{context.get_executor(), clock};
  std::unique_ptr<ClusterTarget> target;
  std::unique_ptr<ShippedRequest> request;

  int32_t app_id = 7;  // as the fake server's
  int64_t server_us = 1'000'000;
  bool has_other = false;
  int64_t other_us = 1'000'000;
  int node_queries = 0;
  std::optional<Error> server_refusal;
  int checks = 0;  // of servers
  milliseconds forward_time{10'000};
  std::optional<Error> refusal;
  int asked = 0;  // whether it may send
  ErrorCode error = ErrorCode::kOk;
  int32_t status = 0;
  bool holds = false;
  std::function<void()> on_request = [] {};
  std::function<void()> before_asked = [] {};
  std::vector<net::IncomingCall> held;
  std::vector<RpcCode> codes;
  std::vector<uint64_t> hashes;
  std::vector<std::string> received;
  std::vector<int64_t> times;
  bool all_verify = true, all_have_cluster = true;
};

TEST_F(ClusterTargetTest, SendsOneRequestWithTheSourcesTimesAndCluster) {
  const auto sent = send({put("a", "1", 5), remove("b", 6)});
  EXPECT_FALSE(sent.error);
  EXPECT_EQ(sent.done, 2U);
  EXPECT_THAT(received, ElementsAre("put a=1", "remove b"));
  EXPECT_THAT(codes, ElementsAre(RpcCode::kDuplicate));
  EXPECT_THAT(times, ElementsAre(5, 6));
  EXPECT_TRUE(all_verify);
  EXPECT_TRUE(all_have_cluster);
  EXPECT_THAT(hashes, ElementsAre(record::key_hash("b", "")));  // of the last entry
}

TEST_F(ClusterTargetTest, ARefusalLeavesNoDoubt) {
  for (const auto refusal_code : {ErrorCode::kInvalidState, ErrorCode::kBusy,
                                  ErrorCode::kObjectNotFound, ErrorCode::kCapacityExceeded}) {
    error = refusal_code;
    const auto sent = send({put("a", "1")});
    ASSERT_TRUE(sent.error);
    EXPECT_THAT(sent.error->to_string(), HasSubstr(std::string(wire::error_name(error))));
    EXPECT_EQ(sent.done, 0U);
    EXPECT_FALSE(sent.is_in_doubt);
  }
}

TEST_F(ClusterTargetTest, ATimeoutOfTheServersLeavesDoubt) {
  error = ErrorCode::kTimeout;
  EXPECT_TRUE(send({put("a", "1")}).is_in_doubt);
}

TEST_F(ClusterTargetTest, NoAnswerLeavesDoubt) {
  holds = true;
  forward_time = milliseconds(20);
  const auto sent = send({put("a", "1")});
  ASSERT_TRUE(sent.error);
  EXPECT_TRUE(sent.is_in_doubt);
}

// A server that was stopped may carry out what came on the new connection first.
TEST_F(ClusterTargetTest, TheNextAnswerAfterALostRequestIsHeldBack) {
  ASSERT_FALSE(send({put("a", "1")}).error);
  holds = true;
  forward_time = milliseconds(20);
  ASSERT_TRUE(send({remove("a", 2)}).is_in_doubt);
  EXPECT_EQ(clock.seconds, 0);
  holds = false;
  forward_time = milliseconds(10'000);
  ASSERT_FALSE(send({remove("a", 2)}).error);
  EXPECT_EQ(clock.seconds, 1);
  ASSERT_FALSE(send({put("a", "3", 3)}).error);
  EXPECT_EQ(clock.seconds, 1);
}

TEST_F(ClusterTargetTest, WithoutAConnectionThereIsNoDoubt) {
  begin(WriteMethod::kPlain);
  ASSERT_TRUE(run(target->partition_count()));
  run(server.move_node(0x7f000002));
  const auto sent = send({put("a", "1")}, WriteMethod::kPlain);
  ASSERT_TRUE(sent.error);
  EXPECT_FALSE(sent.is_in_doubt);
  EXPECT_FALSE(send({put("a", "1")}, WriteMethod::kPlain).error);  // it was asked where it is
}

// Real servers answer 4 to an id that they do not know; the source would abort on it.
TEST_F(ClusterTargetTest, AStorageErrorIsAReasonToTryAgain) {
  status = 4;
  const auto sent = send({put("a", "1")});
  ASSERT_TRUE(sent.error);
  EXPECT_EQ(sent.error->code(), Code::kBusy);
  EXPECT_THAT(sent.error->to_string(), HasSubstr("self-duplicating"));
  EXPECT_FALSE(sent.is_in_doubt);
}

TEST_F(ClusterTargetTest, WhatIsTooLargeIsCut) {
  bool was_refused = false;
  on_request = [&] {
    error = received.size() > 3 && !was_refused ? ErrorCode::kInvalidData : ErrorCode::kOk;
    was_refused |= error != ErrorCode::kOk;
  };
  const auto sent = send({put("a", "1"), put("b", "2"), put("c", "3"), put("d", "4")});
  EXPECT_FALSE(sent.error);
  EXPECT_EQ(sent.done, 4U);
  EXPECT_GT(codes.size(), 2U);
  received.erase(received.begin(), received.begin() + 4);
  EXPECT_THAT(received, ElementsAre("put a=1", "put b=2", "put c=3", "put d=4"));
}

TEST_F(ClusterTargetTest, ARefusalAsTooLargeDoesNotCutLaterRequests) {
  on_request = [&] { error = codes.size() == 1 ? ErrorCode::kInvalidData : ErrorCode::kOk; };
  ASSERT_FALSE(send({put("a", "1"), put("b", "2")}).error);
  EXPECT_EQ(codes.size(), 3U);
  ASSERT_FALSE(send({put("a", "3"), put("b", "4")}).error);
  EXPECT_EQ(codes.size(), 4U);
}

// They are requests of their own already.
TEST_F(ClusterTargetTest, PlainWritesAreNotCut) {
  error = ErrorCode::kInvalidData;
  const auto sent = send({put("a", "1"), put("b", "2")}, WriteMethod::kPlain);
  ASSERT_TRUE(sent.error);
  EXPECT_EQ(sent.error->code(), Code::kTooLarge);
  EXPECT_EQ(codes.size(), 1U);
}

TEST_F(ClusterTargetTest, WhatIsTooLargeAloneIsAnError) {
  error = ErrorCode::kInvalidData;
  const auto sent = send({put("a", "1")});
  ASSERT_TRUE(sent.error);
  EXPECT_EQ(sent.error->code(), Code::kTooLarge);
  EXPECT_THAT(sent.error->to_string(), HasSubstr("max_allowed_write_size"));
}

TEST_F(ClusterTargetTest, PlainWritesGoOneByOneInOrder) {
  const auto sent = send({put("a", "1"), remove("a"), multi_put("a", {{"x", "2"}}), put("a", "3")},
                         WriteMethod::kPlain);
  EXPECT_FALSE(sent.error);
  EXPECT_EQ(sent.done, 4U);
  EXPECT_THAT(received, ElementsAre("put a=1", "remove a", "multi_put a x=2", "put a=3"));
  EXPECT_THAT(codes,
              ElementsAre(RpcCode::kPut, RpcCode::kRemove, RpcCode::kMultiPut, RpcCode::kPut));
}

TEST_F(ClusterTargetTest, AfterAPlainWriteThatFailsNothingFollows) {
  on_request = [this] { error = codes.size() == 2 ? ErrorCode::kBusy : ErrorCode::kOk; };
  const auto sent = send({put("a", "1"), put("a", "2"), put("a", "3")}, WriteMethod::kPlain);
  EXPECT_EQ(sent.done, 1U);
  EXPECT_TRUE(sent.error);
  EXPECT_EQ(codes.size(), 2U);
}

TEST_F(ClusterTargetTest, NothingLeavesWhenItMayNot) {
  refusal = Error(Code::kBusy, "not sure of the session");
  const auto sent = send({put("a", "1")});
  ASSERT_TRUE(sent.error);
  EXPECT_THAT(sent.error->to_string(), HasSubstr("not sure"));
  EXPECT_FALSE(sent.is_in_doubt);
  EXPECT_THAT(received, IsEmpty());
}

// A real server aborts on an entry that is later than its own clock.
TEST_F(ClusterTargetTest, AnEntryWaitsForTheServersClock) {
  const auto an_hour_ahead = server_us + 3'600'000'000;
  const auto sent = send({put("a", "1", an_hour_ahead)});
  ASSERT_TRUE(sent.error);
  EXPECT_THAT(sent.error->to_string(), HasSubstr("behind the time of the write"));
  EXPECT_FALSE(sent.is_in_doubt);
  EXPECT_THAT(received, IsEmpty());
  clock.advanced += std::chrono::hours(2);
  server_us += 7'200'000'000;
  EXPECT_FALSE(send({put("a", "1", an_hour_ahead)}).error);
  EXPECT_THAT(received, ElementsAre("put a=1"));
}

// It may begin to learn a partition at any moment.
TEST_F(ClusterTargetTest, AnEntryWaitsForTheClocksOfAllServersOfTheCluster) {
  add_other();
  const auto an_hour_ahead = other_us + 3'600'000'000;
  server_us = an_hour_ahead;
  const auto sent = send({put("a", "1", an_hour_ahead)});
  ASSERT_TRUE(sent.error);
  EXPECT_THAT(sent.error->to_string(), HasSubstr("behind the time of the write"));
  EXPECT_THAT(received, IsEmpty());
}

TEST_F(ClusterTargetTest, AServerThatJoinsLaterCountsToo) {
  const auto an_hour_ahead = other_us + 3'600'000'000;
  server_us = an_hour_ahead;
  begin(WriteMethod::kDuplicate);
  target->start();
  ASSERT_FALSE(send({put("a", "1", an_hour_ahead)}).error);
  add_other();
  const auto asked_before = node_queries;
  clock.advanced += milliseconds(5'000);
  context.restart();
  while (node_queries == asked_before) context.run_one();
  Sent sent;
  for (int i = 0; i < 1'000 && !sent.error; ++i) sent = send({put("a", "1", an_hour_ahead)});
  ASSERT_TRUE(sent.error);
  EXPECT_THAT(sent.error->to_string(), HasSubstr("behind the time of the write"));
}

TEST_F(ClusterTargetTest, BeforeTheFirstRequestEachServerIsChecked) {
  add_other();
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(send({put("a", "1")}).error);
  EXPECT_EQ(checks, 2);
}

// A real one would abort.
TEST_F(ClusterTargetTest, NothingIsSentWhileAServerIsRefused) {
  server_refusal = Error(Code::kRefused, "its group has not the source's id: add 'A = 1' to it");
  const auto sent = send({put("a", "1")});
  ASSERT_TRUE(sent.error);
  EXPECT_THAT(sent.error->to_string(), HasSubstr("add 'A = 1' to it"));
  EXPECT_FALSE(sent.is_in_doubt);
  EXPECT_THAT(received, IsEmpty());
  server_refusal.reset();
  clock.advanced += milliseconds(5'000);
  EXPECT_FALSE(send({put("a", "1")}).error);
}

TEST_F(ClusterTargetTest, AServerThatDidNotAnswerIsCheckedAgain) {
  holds = true;
  forward_time = milliseconds(20);
  ASSERT_TRUE(send({put("a", "1")}).error);
  EXPECT_EQ(checks, 1);
  holds = false;
  forward_time = milliseconds(10'000);
  ASSERT_FALSE(send({put("a", "1")}).error);
  EXPECT_EQ(checks, 2);
}

TEST_F(ClusterTargetTest, PlainWritesNeedNoCheck) {
  server_refusal = Error(Code::kRefused, "it is in no group");
  EXPECT_FALSE(send({put("a", "1")}, WriteMethod::kPlain).error);
}

TEST_F(ClusterTargetTest, NothingIsSentToATableThatWasCreatedAgain) {
  app_id = 6;
  const auto sent = send({put("a", "1")});
  ASSERT_TRUE(sent.error);
  EXPECT_EQ(sent.error->code(), Code::kRefused);
  EXPECT_THAT(sent.error->to_string(), HasSubstr("was dropped and created again"));
  EXPECT_FALSE(sent.is_in_doubt);
  EXPECT_THAT(received, IsEmpty());
}

TEST_F(ClusterTargetTest, AnotherPartitionCountSendsNothing) {
  ASSERT_FALSE(send({put("a", "1")}).error);
  received.clear();
  request = request_of({put("a", "2", 2)});
  const auto sent = run(target->send(
      {.index = 1, .partition_count = 2, .entries = request->entries(), .source = std::nullopt},
      [this] { return may_send(); }));
  ASSERT_TRUE(sent.error);
  EXPECT_EQ(sent.error->code(), Code::kRefused);
  EXPECT_THAT(received, IsEmpty());
}

}  // namespace
}  // namespace pegmove::relay
