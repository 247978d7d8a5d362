#include "relay/shipped_request.h"

#include <gmock/gmock.h>

#include "relay/shipped_requests_test.h"

namespace pegmove::relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> kept(const std::vector<Write>& writes) {
  return texts_of(request_of(writes)->entries());
}

TEST(ShippedRequest, KeepsOrderTimesAndClusterAndVerifiesTimetags) {
  const auto request = request_of({put("a", "1", 5), remove("b", 6), put("c", "2", 7)});
  EXPECT_THAT(texts_of(request->entries()), ElementsAre("put a=1", "remove b", "put c=2"));
  int64_t time = 5;
  for (const auto& entry : request->entries()) {
    EXPECT_EQ(entry.view.timestamp_us, time++);
    EXPECT_EQ(entry.view.cluster_id, 3);
    EXPECT_TRUE(entry.view.verify_timetag);
  }
  EXPECT_EQ(request->entries()[0].hash, record::key_hash("a", ""));
}

TEST(ShippedRequest, WithPlainWritesNothingIsVerifiedOrLeftOut) {
  const auto request =
      ShippedRequest::parse(shipped({put("a", "1"), put("a", "2")}), WriteMethod::kPlain);
  ASSERT_TRUE(request);
  EXPECT_THAT(texts_of((*request)->entries()), ElementsAre("put a=1", "put a=2"));
  EXPECT_FALSE((*request)->entries()[0].view.verify_timetag);
}

// The target keeps the first of two equal times, the source has the last.
TEST(ShippedRequest, OfRowsWithOneKeyAndOneTimeOnlyTheLastIsLeft) {
  EXPECT_THAT(kept({put("a", "1"), put("b", "2"), put("a", "3")}),
              ElementsAre("put b=2", "put a=3"));
  EXPECT_EQ(request_of({put("a", "1"), put("a", "2"), put("a", "3")})->superseded_rows(), 2U);
}

TEST(ShippedRequest, AnotherTimeIsAnotherRow) {
  EXPECT_THAT(kept({put("a", "1", 1), put("a", "2", 2)}), ElementsAre("put a=1", "put a=2"));
}

TEST(ShippedRequest, ALaterRemoveDoesNotKeepAPutButRemovesAllStay) {
  EXPECT_THAT(kept({put("a", "1"), remove("a"), put("a", "2"), remove("a")}),
              ElementsAre("remove a", "put a=2", "remove a"));
}

TEST(ShippedRequest, RowsOfAMultiPutAreLeftOutOneByOne) {
  const auto request = request_of({multi_put("a", {{"s", "1"}, {"x", "2"}, {"y", "3"}, {"x", "4"}}),
                                   put("a", "5"), multi_put("a", {{"y", "6"}})});
  EXPECT_THAT(texts_of(request->entries()),
              ElementsAre("multi_put a x=4", "put a=5", "multi_put a y=6"));
  EXPECT_EQ(request->superseded_rows(), 3U);
  EXPECT_EQ(wire::decode_multi_put(request->entries()[0].view.raw_message)->expire_ts, 77U);
  // One that loses nothing keeps its bytes.
  const auto whole = multi_put("a", {{"s", "1"}});
  EXPECT_EQ(request_of({whole})->entries()[0].view.raw_message, whole.body);
  EXPECT_THAT(kept({whole, put("a", "2")}), ElementsAre("put a=2"));
}

// Real sources ship them; a target answers them with an error for ever.
TEST(ShippedRequest, WritesThatChangeNothingAreLeftOut) {
  const auto body = shipped({put("a", "1"), multi_put("b", {}), multi_remove("c", {}),
                             multi_remove("d", {"s"}), multi_put("e", {{"s", "2"}})});
  for (const auto method : {WriteMethod::kDuplicate, WriteMethod::kPlain}) {
    const auto request = ShippedRequest::parse(body, method);
    ASSERT_TRUE(request);
    EXPECT_THAT(texts_of((*request)->entries()),
                ElementsAre("put a=1", "RPC_RRDB_RRDB_MULTI_REMOVE", "multi_put e s=2"));
  }
  EXPECT_TRUE(request_of({multi_put("b", {})})->entries().empty());
}

TEST(ShippedRequest, WhatCannotBeShippedIsRefusedByName) {
  auto wrong = ShippedRequest::parse("x", WriteMethod::kDuplicate);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), Code::kInvalidArgument);
  wrong = ShippedRequest::parse(
      shipped({multi_put("a", {}), {wire::RpcCode::kIncr, put("a", "1").body, 1}}),
      WriteMethod::kDuplicate);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().to_string(), HasSubstr("entry 1"));
  EXPECT_THAT(wrong.error().to_string(), HasSubstr("RPC_RRDB_RRDB_INCR"));
  EXPECT_FALSE(
      ShippedRequest::parse(shipped({{wire::RpcCode::kPut, "x", 1}}), WriteMethod::kDuplicate));
}

TEST(ShippedRequest, PositionsOfAnEmbeddedSourceStay) {
  std::string body;
  wire::DuplicateWriter writer(body, 1);
  const auto write = put("a", "1");
  writer.add({.timestamp_us = 1,
              .task_code = wire::rpc_name(write.code),
              .raw_message = write.body,
              .cluster_id = 3,
              .position = wire::DuplicatePosition{.decree = 9, .write_index = 2}});
  const wire::DuplicateSource source{.app_id = 4, .partition_index = 1, .log_id = 5};
  writer.finish(source);
  const auto request = ShippedRequest::parse(body, WriteMethod::kDuplicate);
  ASSERT_TRUE(request);
  EXPECT_EQ((*request)->source(), source);
  EXPECT_EQ((*request)->entries()[0].view.position->decree, 9);
}

}  // namespace
}  // namespace pegmove::relay
