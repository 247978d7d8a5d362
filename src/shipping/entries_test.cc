#include "shipping/entries.h"

#include <gmock/gmock.h>

#include "data_types.h"
#include "record/hash.h"
#include "record/key.h"
#include "wire/thrift_codec.h"

namespace pegmove::shipping {
namespace {

using wire::RpcCode;

std::string remove_body(const std::string& hash_key) {
  return wire::encode_body(wire::blob{record::encode_key(hash_key, "s")});
}

TEST(ShippedEntries, TheHashKeyOfEachCodeDecidesThePartition) {
  const auto hash = record::key_hash("h", "s");
  wire::update_request put;
  put.key.data = record::encode_key("h", "s");
  wire::multi_put_request multi_put;
  multi_put.hash_key.data = "h";
  wire::multi_remove_request multi_remove;
  multi_remove.hash_key.data = "h";
  for (const int16_t field_id : {0, 1}) {  // as C++ clients write it, and as others do
    EXPECT_EQ(key_hash_of(RpcCode::kPut, wire::encode_body(put, field_id)), hash);
    EXPECT_EQ(key_hash_of(RpcCode::kMultiPut, wire::encode_body(multi_put, field_id)), hash);
    EXPECT_EQ(key_hash_of(RpcCode::kMultiRemove, wire::encode_body(multi_remove, field_id)), hash);
  }
  EXPECT_EQ(key_hash_of(RpcCode::kRemove, remove_body("h")), hash);
}

TEST(ShippedEntries, AnotherCodeAndAMalformedBodyHaveNoHash) {
  EXPECT_EQ(key_hash_of(RpcCode::kIncr, remove_body("h")), std::nullopt);
  EXPECT_EQ(key_hash_of(RpcCode::kRemove, "x"), std::nullopt);
  EXPECT_EQ(key_hash_of(RpcCode::kRemove, wire::encode_body(wire::blob{"\xff\xff"})), std::nullopt);
}

TEST(ShippedEntries, AreGroupedByPartitionInTheirOrder) {
  std::vector<ShippedEntry> entries;
  for (const uint64_t hash : {0, 1, 4, 5, 8})
    entries.push_back({.view = {.timestamp_us = int64_t(hash), .task_code = {}, .raw_message = {}},
                       .hash = hash});
  const auto groups = by_target(entries, 4);
  ASSERT_EQ(groups.size(), 2U);
  std::vector<int64_t> first;
  for (const auto& entry : groups.at(0)) first.push_back(entry.view.timestamp_us);
  EXPECT_THAT(first, ::testing::ElementsAre(0, 4, 8));
  EXPECT_EQ(groups.at(1).size(), 2U);
}

TEST(ShippedEntries, ARequestHasAsManyAsFitAndAtLeastOne) {
  const auto body = remove_body("h");
  const std::vector<ShippedEntry> entries(
      3, {.view = {.task_code = wire::rpc_name(RpcCode::kRemove), .raw_message = body}});
  EXPECT_EQ(entries_that_fit(entries, 1), 1U);
  const auto two = duplicate_body(std::span(entries).first(2), std::nullopt).size();
  EXPECT_EQ(entries_that_fit(entries, two + wire::DuplicateWriter::kSourceBytes), 2U);
  EXPECT_EQ(entries_that_fit(entries, 1 << 20), 3U);
}

}  // namespace
}  // namespace pegmove::shipping
