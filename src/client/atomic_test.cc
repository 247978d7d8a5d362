// Operations that must not be carried out twice, against a server whose answers a test chooses:
// what they send, what they make of the answer, and when they are sent again.
#include <gmock/gmock.h>

#include <deque>

#include "client/table.h"
#include "data_types.h"
#include "meta_types.h"
#include "net/rpc_server.h"
#include "testing/sim_clock.h"
#include "testing/test_cluster.h"

namespace pegmove::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using wire::ErrorCode;
using wire::RpcCode;

constexpr uint32_t kLoopback = 0x7f000001;

// What a replica server does with a request.
struct Answer {
  enum class Kind { kReply, kBreak, kSilence } kind = Kind::kReply;
  ErrorCode error = ErrorCode::kOk;
  std::string body{};
};

template <typename Response>
Answer with(const Response& response) {
  return {.body = wire::encode_body(response)};
}
Answer with(ErrorCode error) { return {.error = error}; }

class ScriptedCluster;

// Hands the requests of one of the two servers on.
class Ear : public net::CallHandler {
 public:
  Ear(ScriptedCluster& cluster, void (ScriptedCluster::*hear)(net::IncomingCall))
      : cluster_(cluster), hear_(hear) {}
  void handle(net::IncomingCall call) override { (cluster_.*hear_)(std::move(call)); }

 private:
  ScriptedCluster& cluster_;
  void (ScriptedCluster::*hear_)(net::IncomingCall);
};

// A meta server and a replica server with the one partition of a table. A replica server that broke
// its connections listens again, at another port, when the meta server is asked next.
class ScriptedCluster {
 public:
  explicit ScriptedCluster(asio::any_io_executor executor, Clock& clock)
      : executor_(executor), clock_(clock), meta_(listen(meta_ear_)) {}

  net::Address meta_address() const { return meta_->local(); }
  // The next answers; the last one stays.
  void script(std::deque<Answer> answers) {
    answers_ = std::move(answers);
    heard_.clear();
  }
  // How often the meta server returns an address at which no server listens.
  void hide(int times) { hidden_ = times; }
  // Called when a request is kept without an answer.
  std::function<void()> on_silence = [] {};
  const std::vector<RpcCode>& heard() const { return heard_; }
  const std::string& last_body() const { return last_body_; }

  Routine<bool> stop() {
    kept_.clear();
    meta_->stop();
    co_await meta_->join();  // no result
    if (node_) nodes_.push_back(std::move(node_));
    for (auto& node : nodes_) {
      node->stop();
      co_await node->join();  // no result
    }
    co_return true;
  }

 private:
  std::unique_ptr<net::RpcServer> listen(net::CallHandler& ear) {
    auto acceptor = net::listen_tcp(executor_, {kLoopback, 0});
    if (!acceptor) throw std::runtime_error(acceptor.error().to_string());
    auto server = std::make_unique<net::RpcServer>(executor_, std::move(*acceptor), ear, clock_,
                                                   Logger("test"));
    server->start();
    return server;
  }

  void hear_meta(net::IncomingCall call) {
    if (!node_) node_ = listen(node_ear_);
    auto address = node_->local();
    if (hidden_ > 0) {
      --hidden_;
      address.port = testing::find_free_port();
    }
    wire::query_cfg_response response;
    response.app_id = 7;
    response.partition_count = 1;
    auto& partition = response.partitions.emplace_back();
    partition.ballot = 1;
    partition.primary = wire::rpc_address::of(address.ipv4, address.port);
    call.reply(ErrorCode::kOk, wire::encode_body(response));
  }

  void hear_node(net::IncomingCall call) {
    heard_.push_back(wire::rpc_code_from_name(call.head().name));
    last_body_ = call.body();
    auto answer = answers_.front();
    if (answers_.size() > 1) answers_.pop_front();
    if (answer.kind == Answer::Kind::kReply) return call.reply(answer.error, answer.body);
    kept_.push_back(std::move(call));
    if (answer.kind == Answer::Kind::kBreak) {
      node_->stop();
      nodes_.push_back(std::move(node_));
    } else {
      on_silence();
    }
  }

  asio::any_io_executor executor_;
  Clock& clock_;
  Ear meta_ear_{*this, &ScriptedCluster::hear_meta};
  Ear node_ear_{*this, &ScriptedCluster::hear_node};
  std::unique_ptr<net::RpcServer> meta_;
  std::unique_ptr<net::RpcServer> node_;
  std::vector<std::unique_ptr<net::RpcServer>> nodes_;  // that are stopped
  std::deque<Answer> answers_;
  std::vector<net::IncomingCall> kept_;
  std::vector<RpcCode> heard_;
  std::string last_body_;
  int hidden_ = 0;
};

wire::incr_response incremented(int64_t value) {
  wire::incr_response response;
  response.new_value = value;
  response.app_id = 7;
  response.decree = 5;
  response.server = "node:1";
  return response;
}

template <typename Response>
Response refused_by_storage(wire::StorageStatus status) {
  Response response;
  response.error = int32_t(status);
  return response;
}

class AtomicTest : public ::testing::Test {
 protected:
  ~AtomicTest() override {
    table.reset();
    run(close(client));
    run(server.stop());
  }
  static Routine<bool> close(Client& which) {
    co_await which.close();  // no result
    co_return true;
  }
  template <typename T>
  T run(asio::awaitable<T> routine) {
    return async::run_to_end(context, std::move(routine));
  }
  Deadline soon() { return Deadline::in(clock, std::chrono::seconds(20)); }

  std::vector<net::HostPort> metas() {
    return {*net::parse_host_port(server.meta_address().to_string())};
  }
  std::shared_ptr<Table> open() {
    auto opened = run(Table::open(std::make_shared<Cluster>(client, metas()), "t", soon()));
    if (!opened) throw std::runtime_error(opened.error().to_string());
    return *opened;
  }
  Result<IncrResult> incr() { return run(table->incr("h", "s", 1, kKeepExpiry, soon())); }
  template <typename Request>
  Request last_request() {
    return *wire::decode_body<Request>(server.last_body());
  }

  asio::io_context context;
  async::SystemClock clock;
  ScriptedCluster server{context.get_executor(), clock};
  Client client{context.get_executor(), clock};
  std::shared_ptr<Table> table = open();
};

TEST_F(AtomicTest, AnIncrementReturnsTheNewValue) {
  server.script({with(incremented(-12))});
  auto result = run(table->incr("hash", "sort", -20, 777, soon()));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(result->new_value, -12);
  EXPECT_EQ(result->info.decree, 5);
  EXPECT_EQ(result->info.server, "node:1");
  auto sent = last_request<wire::incr_request>();
  EXPECT_EQ(sent.key.data, std::string("\0\4hashsort", 10));
  EXPECT_EQ(sent.increment, -20);
  EXPECT_EQ(sent.expire_ts_seconds, 777);
}

TEST_F(AtomicTest, AStorageStatusComesWithItsNumber) {
  server.script({with(refused_by_storage<wire::incr_response>(wire::StorageStatus(4)))});
  auto refused = incr();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_EQ(wire::storage_status_of(refused.error()), wire::StorageStatus::kInvalidArgument);
  EXPECT_EQ(server.heard().size(), 1u);
}

TEST_F(AtomicTest, ACheckedSetSendsItsCheckAndItsRow) {
  wire::check_and_set_response response;
  response.check_value_returned = true;
  response.check_value_exist = true;
  response.check_value.data = "old";
  server.script({with(response)});
  Check check{.type = CheckType::kIntGreaterOrEqual,
              .sort_key = "c",
              .operand = "10",
              .return_value = true};
  auto result = run(table->check_and_set("h", check, {"s", "new"}, 99, soon()));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_TRUE(result->passed);
  EXPECT_TRUE(result->value_returned);
  EXPECT_EQ(result->checked_value, "old");
  auto sent = last_request<wire::check_and_set_request>();
  EXPECT_EQ(sent.hash_key.data, "h");
  EXPECT_EQ(sent.check_sort_key.data, "c");
  EXPECT_EQ(int(sent.check_type), int(wire::CT_VALUE_INT_GREATER_OR_EQUAL));
  EXPECT_EQ(sent.check_operand.data, "10");
  EXPECT_TRUE(sent.set_diff_sort_key);
  EXPECT_EQ(sent.set_sort_key.data, "s");
  EXPECT_EQ(sent.set_value.data, "new");
  EXPECT_EQ(sent.set_expire_ts_seconds, 99);
  EXPECT_TRUE(sent.return_check_value);
}

TEST_F(AtomicTest, ACheckedSetOfTheCheckedRowNamesItOnce) {
  server.script({with(wire::check_and_set_response())});
  ASSERT_TRUE(run(table->check_and_set("h", {.sort_key = "s"}, {"s", "new"}, 0, soon())));
  auto sent = last_request<wire::check_and_set_request>();
  EXPECT_EQ(int(sent.check_type), int(wire::CT_NO_CHECK));
  EXPECT_FALSE(sent.set_diff_sort_key);
  EXPECT_EQ(sent.set_sort_key.data, "");
}

TEST_F(AtomicTest, AFailedCheckIsAResult) {
  auto response =
      refused_by_storage<wire::check_and_mutate_response>(wire::StorageStatus::kTryAgain);
  response.check_value_returned = true;
  server.script({with(response)});
  auto result = run(table->check_and_mutate(
      "h", {.type = CheckType::kExist, .sort_key = "c", .return_value = true},
      {{.sort_key = "a", .value = "1", .expire_ts = 3},
       {.kind = Mutation::Kind::kDel, .sort_key = "b", .value = "left out", .expire_ts = 4}},
      soon()));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_FALSE(result->passed);
  EXPECT_TRUE(result->value_returned);
  EXPECT_EQ(result->checked_value, std::nullopt);
  auto sent = last_request<wire::check_and_mutate_request>();
  ASSERT_EQ(sent.mutate_list.size(), 2u);
  EXPECT_EQ(int(sent.mutate_list[0].operation), int(wire::MO_PUT));
  EXPECT_EQ(sent.mutate_list[0].sort_key.data, "a");
  EXPECT_EQ(sent.mutate_list[0].value.data, "1");
  EXPECT_EQ(sent.mutate_list[0].set_expire_ts_seconds, 3);
  EXPECT_EQ(int(sent.mutate_list[1].operation), int(wire::MO_DELETE));
  EXPECT_EQ(sent.mutate_list[1].sort_key.data, "b");
  EXPECT_EQ(sent.mutate_list[1].value.data, "");
  EXPECT_EQ(sent.mutate_list[1].set_expire_ts_seconds, 0);
}

TEST_F(AtomicTest, ChecksWantAHashKeyOfSomeSize) {
  server.script({with(wire::check_and_set_response())});
  for (const auto& hash : {std::string(), std::string(65535, 'h')}) {
    auto set = run(table->check_and_set(hash, {}, {"s", "v"}, 0, soon()));
    auto mutate = run(table->check_and_mutate(hash, {}, {{.sort_key = "s"}}, soon()));
    ASSERT_FALSE(set);
    ASSERT_FALSE(mutate);
    EXPECT_EQ(set.error().code(), Code::kInvalidArgument);
    EXPECT_EQ(mutate.error().code(), Code::kInvalidArgument);
  }
  EXPECT_EQ(server.heard().size(), 0u);
}

TEST_F(AtomicTest, WhatAServerRefusedIsSentAgain) {
  server.script({with(ErrorCode::kInvalidState), with(ErrorCode::kObjectNotFound),
                 with(ErrorCode::kBusy), with(incremented(1))});
  auto result = incr();
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(server.heard().size(), 4u);
}

TEST_F(AtomicTest, WhatNeverLeftIsSentAgain) {
  server.script({with(ErrorCode::kInvalidState), with(incremented(1))});
  server.hide(3);
  auto result = incr();
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(server.heard().size(), 2u);
}

TEST_F(AtomicTest, WhatWasUnderWayWhenTheConnectionBrokeIsNotSentAgain) {
  server.script({{.kind = Answer::Kind::kBreak}, with(incremented(1))});
  auto broken = incr();
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), Code::kUnreachable);
  EXPECT_THAT(broken.error().to_string(), HasSubstr("not known whether"));
  EXPECT_THAT(server.heard(), ElementsAre(RpcCode::kIncr));
}

TEST_F(AtomicTest, WhatGotNoAnswerIsNotSentAgain) {
  testing::SimClock time;
  Client patient(context.get_executor(), time);
  auto deadline = [&] { return Deadline::in(time, std::chrono::seconds(10)); };
  server.script({{.kind = Answer::Kind::kSilence}, with(incremented(1))});
  server.on_silence = [&] { time.advance(std::chrono::seconds(10)); };
  auto opened = run(Table::open(std::make_shared<Cluster>(patient, metas()), "t", deadline()));
  ASSERT_TRUE(opened) << opened.error().to_string();
  auto late = run((*opened)->incr("h", "s", 1, kKeepExpiry, deadline()));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::kTimeout);
  EXPECT_THAT(late.error().to_string(), HasSubstr("not known whether"));
  EXPECT_EQ(server.heard().size(), 1u);
  opened->reset();
  run(close(patient));
}

TEST_F(AtomicTest, WhatAServerGaveUpOnIsNotSentAgain) {
  for (auto error : {ErrorCode::kTimeout, ErrorCode::kNetworkFailure}) {
    server.script({with(error), with(incremented(1))});
    auto given_up = incr();
    ASSERT_FALSE(given_up);
    EXPECT_EQ(given_up.error().wire_code(), int(error));
    EXPECT_THAT(given_up.error().to_string(), HasSubstr(std::string(wire::error_name(error))));
    EXPECT_EQ(server.heard().size(), 1u);
  }
}

TEST_F(AtomicTest, ChecksAreNotSentAgainEither) {
  for (bool mutate : {false, true}) {
    server.script({{.kind = Answer::Kind::kBreak}, with(wire::check_and_set_response())});
    auto broken = mutate ? run(table->check_and_mutate("h", {}, {{.sort_key = "s"}}, soon()))
                         : run(table->check_and_set("h", {}, {"s", "v"}, 0, soon()));
    ASSERT_FALSE(broken);
    EXPECT_EQ(server.heard().size(), 1u);
    server.script({with(wire::read_response())});  // finds the server's new place
    ASSERT_TRUE(run(table->get("h", "s", soon())));
  }
}

TEST_F(AtomicTest, WhatCanBeRepeatedIs) {
  server.script({{.kind = Answer::Kind::kBreak}, with(wire::update_response())});
  ASSERT_TRUE(run(table->set("h", "s", "v", 0, soon())));
  EXPECT_THAT(server.heard(), ElementsAre(RpcCode::kPut, RpcCode::kPut));
}

}  // namespace
}  // namespace pegmove::client
