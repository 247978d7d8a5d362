// INCR, CHECK_AND_SET and CHECK_AND_MUTATE over the wire.
#include <gtest/gtest.h>

#include "data_types.h"
#include "record/expiry.h"
#include "record/key.h"
#include "testing/sim_clock.h"
#include "testing/wire_client.h"

namespace pegmove::server::replica {
namespace {

using testing::TestClient;
using testing::TestCluster;
using testing::WireClient;
using wire::RpcCode;

constexpr int32_t kOk = 0, kInvalidArgument = 4, kTryAgain = 13;

class ServerAtomicTest : public ::testing::Test {
 protected:
  wire::incr_response incr(const std::string& sort, int64_t by, int32_t expire_ts = 0) {
    wire::incr_request request;
    request.key.data = record::encode_key("h", sort);
    request.increment = by;
    request.expire_ts_seconds = expire_ts;
    return wire->call<wire::incr_response>(RpcCode::kIncr, gpid, request);
  }
  wire::check_and_set_response check_and_set(wire::cas_check_type type, const std::string& operand,
                                             const std::string& value) {
    wire::check_and_set_request request;
    request.hash_key.data = "h";
    request.check_sort_key.data = "s";
    request.check_type = type;
    request.check_operand.data = operand;
    request.set_value.data = value;
    request.return_check_value = true;
    return wire->call<wire::check_and_set_response>(RpcCode::kCheckAndSet, gpid, request);
  }
  static wire::mutate put(const std::string& sort, const std::string& value) {
    wire::mutate mutation;
    mutation.operation = wire::MO_PUT;
    mutation.sort_key.data = sort;
    mutation.value.data = value;
    return mutation;
  }
  static wire::mutate remove(const std::string& sort) {
    wire::mutate mutation;
    mutation.operation = wire::MO_DELETE;
    mutation.sort_key.data = sort;
    return mutation;
  }
  wire::check_and_mutate_response check_and_mutate(wire::cas_check_type type,
                                                   std::vector<wire::mutate> mutations) {
    wire::check_and_mutate_request request;
    request.hash_key.data = "h";
    request.check_sort_key.data = "s";
    request.check_type = type;
    request.mutate_list = std::move(mutations);
    return wire->call<wire::check_and_mutate_response>(RpcCode::kCheckAndMutate, gpid, request);
  }
  void set(const std::string& sort, const std::string& value, uint32_t expire_ts = 0) {
    client.must(table->set("h", sort, value, expire_ts, client.deadline()));
  }
  std::optional<std::string> get(const std::string& sort) {
    return client.must(table->get("h", sort, client.deadline())).value;
  }
  std::optional<int32_t> ttl(const std::string& sort) {
    return client.must(table->ttl("h", sort, client.deadline())).seconds;
  }
  uint32_t in(int seconds) { return record::pegasus_seconds(clock.unix_seconds() + seconds); }

  testing::SimClock clock;
  TestCluster cluster{clock};
  TestClient client{cluster.meta_address()};
  std::shared_ptr<client::Table> table = client.create_table("t", 1);
  Gpid gpid{table->app_id(), 0};
  std::unique_ptr<WireClient> wire =
      std::make_unique<WireClient>(client, cluster.replica_addresses()[0]);
};

TEST_F(ServerAtomicTest, IncrCountsFromNothingAndFromEmpty) {
  EXPECT_EQ(incr("new", 5).new_value, 5);
  EXPECT_EQ(incr("new", -7).new_value, -2);
  EXPECT_EQ(incr("new", 0).new_value, -2);
  EXPECT_EQ(get("new"), "-2");
  set("empty", "");
  EXPECT_EQ(incr("empty", 3).new_value, 3);
  set("hex", "0x10");
  EXPECT_EQ(incr("hex", 1).new_value, 17);
  EXPECT_EQ(get("hex"), "17");
}

TEST_F(ServerAtomicTest, IncrRefusesWhatIsNoNumberAndWhatOverflows) {
  set("text", "1x");
  auto text = incr("text", 1);
  EXPECT_EQ(text.error, kInvalidArgument);
  EXPECT_EQ(get("text"), "1x");
  set("large", "9223372036854775807");
  auto large = incr("large", 1);
  EXPECT_EQ(large.error, kInvalidArgument);
  EXPECT_EQ(large.new_value, INT64_MAX);
  EXPECT_GT(large.decree, text.decree);  // a refused request counts, too
  set("small", "-9223372036854775808");
  EXPECT_EQ(incr("small", -1).error, kInvalidArgument);
  EXPECT_EQ(incr("small", -1).new_value, INT64_MIN);
  EXPECT_EQ(get("small"), "-9223372036854775808");
}

TEST_F(ServerAtomicTest, IncrKeepsSetsAndRemovesTheExpiry) {
  set("s", "1", in(100));
  EXPECT_EQ(incr("s", 1).error, kOk);
  EXPECT_EQ(ttl("s"), 100);
  EXPECT_EQ(incr("s", 1, int32_t(in(50))).error, kOk);
  EXPECT_EQ(ttl("s"), 50);
  EXPECT_EQ(incr("s", 1, -1).error, kOk);
  EXPECT_EQ(ttl("s"), -1);
  EXPECT_EQ(incr("new", 1, -1).error, kOk);
  EXPECT_EQ(ttl("new"), -1);
  EXPECT_EQ(incr("new with expiry", 1, int32_t(in(9))).error, kOk);
  EXPECT_EQ(ttl("new with expiry"), 9);
}

TEST_F(ServerAtomicTest, AnExpiredCounterBeginsAnew) {
  set("s", "41", in(10));
  clock.advance(std::chrono::seconds(10));
  EXPECT_EQ(incr("s", 1).new_value, 1);
  EXPECT_EQ(ttl("s"), -1);
}

TEST_F(ServerAtomicTest, IncrsInFlightAreAllCounted) {
  wire::incr_request request;
  request.key.data = record::encode_key("h", "s");
  request.increment = 1;
  std::vector<std::string> bodies(500, wire->encode(request));
  auto replies = wire->call_all<wire::incr_response>(RpcCode::kIncr, gpid, bodies);
  ASSERT_EQ(replies.size(), 500u);
  for (size_t i = 0; i < 500; ++i) ASSERT_EQ(replies[i].new_value, int64_t(i) + 1);
}

TEST_F(ServerAtomicTest, CheckAndSetWritesWhenTheCheckPasses) {
  auto set_new = check_and_set(wire::CT_VALUE_NOT_EXIST, "", "v");
  EXPECT_EQ(set_new.error, kOk);
  EXPECT_TRUE(set_new.check_value_returned);
  EXPECT_FALSE(set_new.check_value_exist);
  EXPECT_EQ(get("s"), "v");
  auto again = check_and_set(wire::CT_VALUE_NOT_EXIST, "", "w");
  EXPECT_EQ(again.error, kTryAgain);
  EXPECT_TRUE(again.check_value_exist);
  EXPECT_EQ(again.check_value.data, "v");
  EXPECT_EQ(again.decree, set_new.decree + 1);
}

TEST_F(ServerAtomicTest, CheckAndSetTakesAnotherSortKey) {
  set("s", "old");
  wire::check_and_set_request request;
  request.hash_key.data = "h";
  request.check_sort_key.data = "s";
  request.check_type = wire::CT_VALUE_EXIST;
  request.set_diff_sort_key = true;
  request.set_sort_key.data = "other";
  request.set_value.data = "new";
  request.set_expire_ts_seconds = int32_t(in(30));
  auto response = wire->call<wire::check_and_set_response>(RpcCode::kCheckAndSet, gpid, request);
  EXPECT_EQ(response.error, kOk);
  EXPECT_FALSE(response.check_value_returned);
  EXPECT_EQ(get("s"), "old");
  EXPECT_EQ(get("other"), "new");
  EXPECT_EQ(ttl("other"), 30);
}

TEST_F(ServerAtomicTest, AnExpiredRowDoesNotExistForACheck) {
  set("s", "v", in(10));
  clock.advance(std::chrono::seconds(10));
  EXPECT_EQ(check_and_set(wire::CT_VALUE_EXIST, "", "w").error, kTryAgain);
  EXPECT_EQ(check_and_set(wire::CT_VALUE_NOT_EXIST, "", "w").error, kOk);
}

TEST_F(ServerAtomicTest, ChecksThatMakeNoSenseAreRefused) {
  set("s", "text");
  EXPECT_EQ(check_and_set(wire::cas_check_type(18), "", "w").error, kInvalidArgument);
  EXPECT_EQ(check_and_set(wire::cas_check_type(-1), "", "w").error, kInvalidArgument);
  auto number = check_and_set(wire::CT_VALUE_INT_EQUAL, "1", "w");
  EXPECT_EQ(number.error, kInvalidArgument);
  EXPECT_EQ(number.check_value.data, "text");
  EXPECT_EQ(get("s"), "text");
}

TEST_F(ServerAtomicTest, CheckAndMutateAppliesAllInOrder) {
  set("gone", "v");
  auto response = check_and_mutate(wire::CT_NO_CHECK, {put("a", "1"), put("a", "2"), remove("gone"),
                                                       put("b", "3"), remove("b")});
  EXPECT_EQ(response.error, kOk);
  EXPECT_EQ(get("a"), "2");
  EXPECT_EQ(get("b"), std::nullopt);
  EXPECT_EQ(get("gone"), std::nullopt);
}

TEST_F(ServerAtomicTest, CheckAndMutateWritesNothingWhenRefused) {
  EXPECT_EQ(check_and_mutate(wire::CT_VALUE_EXIST, {put("a", "1")}).error, kTryAgain);
  EXPECT_EQ(check_and_mutate(wire::CT_NO_CHECK, {}).error, kInvalidArgument);
  auto wrong = put("b", "1");
  wrong.operation = wire::mutate_operation(2);
  EXPECT_EQ(check_and_mutate(wire::CT_NO_CHECK, {put("a", "1"), wrong}).error, kInvalidArgument);
  EXPECT_EQ(check_and_mutate(wire::cas_check_type(99), {put("a", "1")}).error, kInvalidArgument);
  EXPECT_EQ(get("a"), std::nullopt);
}

TEST_F(ServerAtomicTest, MalformedRequestsAreAnsweredAndNothingIsWritten) {
  for (auto code : {RpcCode::kIncr, RpcCode::kCheckAndSet, RpcCode::kCheckAndMutate}) {
    auto reply = wire->call_raw(code, gpid, "nonsense");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->error, wire::ErrorCode::kOk);
  }
  wire::incr_request short_key;
  short_key.key.data = "x";
  EXPECT_EQ(wire->call<wire::incr_response>(RpcCode::kIncr, gpid, short_key).error,
            kInvalidArgument);
  wire::check_and_set_request long_key;
  long_key.hash_key.data = std::string(65535, 'k');
  EXPECT_EQ(wire->call<wire::check_and_set_response>(RpcCode::kCheckAndSet, gpid, long_key).error,
            kInvalidArgument);
}

TEST_F(ServerAtomicTest, DefaultTtlIsForAtomicWritesToo) {
  client.must(client.cluster().set_envs("t", {{"default_ttl", "100"}}, client.deadline()));
  EXPECT_EQ(incr("counter", 1).error, kOk);
  EXPECT_EQ(ttl("counter"), 100);
  EXPECT_EQ(check_and_mutate(wire::CT_NO_CHECK, {put("a", "1")}).error, kOk);
  EXPECT_EQ(ttl("a"), 100);
}

TEST_F(ServerAtomicTest, WhatWasCountedSurvivesARestart) {
  EXPECT_EQ(incr("s", 3).new_value, 3);
  wire.reset();
  cluster.restart();
  wire = std::make_unique<WireClient>(client, cluster.replica_addresses()[0]);
  EXPECT_EQ(incr("s", 4).new_value, 7);
}

}  // namespace
}  // namespace pegmove::server::replica
