#include "wire/thrift_codec.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "data_types.h"
#include "meta_types.h"
#include "wire/binary.h"

namespace pegmove::wire {
namespace {

using base::to_hex;

std::string bytes(std::string_view hex) { return base::from_hex(hex).value(); }

// A reply to QUERY_PARTITION_CONFIG_BY_INDEX with `count` equal partitions: one primary, one
// secondary.
std::string query_config_body(uint8_t count) {
  auto body =
      bytes("0c00000c0001000000064552525f4f4b0800020000000208000300000002020004010f00050c000000");
  body += char(count);
  auto partition = bytes(
      "0c000100000000000000020a00020000000000000005080003000000030c00047f00000187f100010f00050c0000"
      "00017f00000187f200010f00060c000000000a00070000000000000000080008000000000c0009000000096c6f63"
      "616c686f737487f1010f000a0c00000001000000096c6f63616c686f737487f2010f000b0c0000000000");
  for (int i = 0; i < count; ++i) body += partition;
  return body + std::string(2, '\0');
}

// The body of an update_response with `fields` before its own.
std::string update_reply_with(std::string_view fields) {
  auto body = encode_body(update_response());
  return body.insert(3, fields);
}

TEST(ThriftCodec, ReadsAQueryConfigReply) {
  auto reply = decode_body<query_cfg_response>(query_config_body(2));
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->err.code, ErrorCode::kOk);
  EXPECT_EQ(reply->app_id, 2);
  EXPECT_EQ(reply->partition_count, 2);
  EXPECT_TRUE(reply->is_stateful);
  ASSERT_EQ(reply->partitions.size(), 2U);
  const auto& partition = reply->partitions[1];
  EXPECT_EQ(partition.pid.id, (Gpid{2, 0}));
  EXPECT_EQ(partition.ballot, 5);
  EXPECT_EQ(partition.max_replica_count, 3);
  EXPECT_EQ(partition.primary, rpc_address::of(0x7f000001, 34801));
  ASSERT_EQ(partition.secondaries.size(), 1U);
  EXPECT_EQ(partition.secondaries[0].port(), 34802);
  ASSERT_TRUE(partition.__isset.hp_primary);
  EXPECT_EQ(partition.hp_primary, host_port::of("localhost", 34801));
  ASSERT_EQ(partition.hp_secondaries.size(), 1U);
  EXPECT_EQ(partition.hp_secondaries[0], host_port::of("localhost", 34802));
  EXPECT_TRUE(partition.hp_last_drops.empty());
}

TEST(ThriftCodec, WritesAQueryConfigReplyAsItCame) {
  for (uint8_t count : {0, 1, 2, 100}) {
    auto body = query_config_body(count);
    auto reply = decode_body<query_cfg_response>(body);
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_EQ(to_hex(encode_body(*reply)), to_hex(body));
  }
}

TEST(ThriftCodec, ReadsAndWritesAQueryConfigRequest) {
  auto body = bytes("0c00010b00010000000474656d700f000208000000000000");
  auto request = decode_body<query_cfg_request>(body);
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->app_name, "temp");
  EXPECT_EQ(to_hex(encode_body(*request, 1)), to_hex(body));
}

TEST(ThriftCodec, ReadsAndWritesAReadReply) {
  auto body = bytes(
      "0c0000080001000000000c0002000000017608000300000002080004000000030b000600000003683a310000");
  auto reply = decode_body<read_response>(body);
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->value.data, "v");
  EXPECT_EQ(reply->server, "h:1");
  EXPECT_EQ(to_hex(encode_body(*reply)), to_hex(body));
}

TEST(ThriftCodec, CarriesScalarsWithoutAStructAroundThem) {
  EXPECT_EQ(to_hex(encode_body(blob{std::string("\0\2hks", 5)}, 1)), "0c0001000000050002686b7300");
  EXPECT_EQ(decode_body<blob>(bytes("0c0000000000050002686b7300"))->data.size(), 5U);
  auto address = rpc_address::of(0x7f000001, 34801);
  EXPECT_EQ(to_hex(encode_body(address)), "0c00007f00000187f1000100");
  EXPECT_EQ(decode_body<rpc_address>(encode_body(address)), address);
}

TEST(ThriftCodec, CarriesABareInteger) {
  for (int64_t value : {int64_t{0}, int64_t{-1}, int64_t{0x0174c203e8000000},
                        std::numeric_limits<int64_t>::min()}) {
    std::string body;
    append_i64_body(body, value, 1);
    EXPECT_EQ(decode_i64_body(body), value);
    for (size_t size = 0; size < body.size(); ++size)
      EXPECT_FALSE(decode_i64_body(body.substr(0, size))) << size;
    EXPECT_FALSE(decode_i64_body(body + '\0'));
  }
  std::string body;
  append_i64_body(body, 0x0174c203e8000000, 1);
  EXPECT_EQ(to_hex(body), "0a00010174c203e800000000");
}

TEST(ThriftCodec, IgnoresTypeAndIdOfTheBodysField) {
  auto body = query_config_body(1);
  for (std::string_view start : {"0c0001", "0f7fff", "000000", "ffffff"})
    EXPECT_TRUE(decode_body<query_cfg_response>(bytes(start) + body.substr(3))) << start;
}

TEST(ThriftCodec, TakesDefaultsForMissingFields) {
  auto reply = decode_body<query_cfg_response>(bytes("0c00000000"));
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->app_id, 0);
  EXPECT_TRUE(reply->partitions.empty());
}

TEST(ThriftCodec, SkipsUnknownFieldsOfEveryType) {
  for (std::string_view field : {
           "02006301",                // bool
           "03006301",                // byte
           "0400630000000000000000",  // double
           "0600630001",              // i16
           "08006300000001",          // i32
           "0a00630000000000000001",  // i64
           "0b00630000000161",        // string
           "0c00630800010000000100",  // struct
           "0d00630b08000000010000000161"
           "00000001",  // map
           "0d00630000"
           "00000000",                          // empty map
           "0e006308000000020000000100000002",  // set
           "0f00630b000000020000000000000000",  // list of strings
           "0f00630f00000001"
           "0200000002"
           "0001",  // list of lists
       }) {
    auto reply = decode_body<update_response>(update_reply_with(bytes(field)));
    ASSERT_TRUE(reply) << field << ": " << reply.error().to_string();
    EXPECT_EQ(to_hex(encode_body(*reply)), to_hex(encode_body(update_response())));
  }
}

TEST(ThriftCodec, RefusesUnknownFieldTypes) {
  for (int type = 0; type < 256; ++type) {
    bool is_known =
        (type >= 2 && type <= 4) || type == 6 || type == 8 || (type >= 10 && type <= 15);
    if (is_known) continue;
    std::string field = {char(type), 0, 99};
    EXPECT_FALSE(decode_body<update_response>(update_reply_with(field + std::string(20, '\0'))))
        << type;
    field = bytes("0f0063") + char(type) + bytes("00000001");
    EXPECT_FALSE(decode_body<update_response>(update_reply_with(field + std::string(20, '\0'))))
        << type;
  }
}

TEST(ThriftCodec, SkipsFieldsOfAnotherTypeThanTheirs) {
  // Field 1 of an update_response is an i32.
  for (std::string_view field : {"0a00010000000000000007", "0b00010000000161", "02000101"}) {
    std::string body = bytes("0c0000") + bytes(field) + std::string(2, '\0');
    auto reply = decode_body<update_response>(body);
    ASSERT_TRUE(reply) << field << ": " << reply.error().to_string();
    EXPECT_EQ(reply->error, 0);
  }
}

TEST(ThriftCodec, ReadsFieldsInAnyOrderAndTheLastOfTwo) {
  std::string body = bytes("0c0000");
  append_i32_field(body, 3, 30);
  append_i32_field(body, 1, 10);
  append_i32_field(body, 3, 31);
  auto reply = decode_body<update_response>(body + std::string(2, '\0'));
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->error, 10);
  EXPECT_EQ(reply->partition_index, 31);
}

TEST(ThriftCodec, TakesAnyByteButZeroForTrue) {
  auto body = bytes("0c00000200040f0000");
  EXPECT_TRUE(decode_body<query_cfg_response>(body)->is_stateful);
}

TEST(ThriftCodec, TakesUnknownErrorNamesForUnknown) {
  auto body = bytes("0c00000c0001000000084552525f46555a5a0000");
  EXPECT_EQ(decode_body<query_cfg_response>(body)->err.code, ErrorCode::kUnknown);
}

// A wrong filter type must reach the handler, which answers it with an error.
TEST(ThriftCodec, CarriesNumbersThatAnEnumDoesNotName) {
  for (int32_t number : {4, 100, -1, std::numeric_limits<int32_t>::min()}) {
    std::string body = bytes("0c0000");
    append_i32_field(body, 10, number);
    auto request = decode_body<multi_get_request>(body + std::string(2, '\0'));
    ASSERT_TRUE(request) << request.error().to_string();
    EXPECT_EQ(int32_t(request->sort_key_filter_type), number);
    auto again = decode_body<multi_get_request>(encode_body(*request));
    EXPECT_EQ(int32_t(again->sort_key_filter_type), number);
  }
}

TEST(ThriftCodec, RefusesEveryTruncationAndAnyTail) {
  auto body = query_config_body(2);
  for (size_t size = 0; size < body.size(); ++size) {
    auto reply = decode_body<query_cfg_response>(body.substr(0, size));
    ASSERT_FALSE(reply) << size;
    EXPECT_EQ(reply.error().code(), Code::kProtocol);
  }
  for (char tail : {'\0', '\x0c'}) EXPECT_FALSE(decode_body<query_cfg_response>(body + tail));
  body.back() = '\x0c';  // a second field instead of the STOP
  EXPECT_FALSE(decode_body<query_cfg_response>(body));
}

TEST(ThriftCodec, RefusesStringsLongerThanTheirBody) {
  for (std::string_view length : {"00000002", "7fffffff", "80000000", "ffffffff"}) {
    EXPECT_FALSE(decode_body<blob>(bytes("0c0000") + bytes(length) + '\0')) << length;
    auto string = bytes("0c00000b0005") + bytes(length) + std::string(2, '\0');
    EXPECT_FALSE(decode_body<update_response>(string)) << length;
    auto unknown = bytes("0c00000b0063") + bytes(length) + std::string(2, '\0');
    EXPECT_FALSE(decode_body<update_response>(unknown)) << length;
  }
}

TEST(ThriftCodec, RefusesDeepNesting) {
  for (int depth : {10, 100, 1'000'000}) {
    std::string structs, lists, maps;
    for (int i = 0; i < depth; ++i) {
      append_field_begin(structs, BinaryReader::kStruct, 99);
      lists += bytes("0f00000001");
      maps += bytes("020d0000000101");
    }
    structs.append(size_t(depth), '\0');
    auto list_field = bytes("0f0063") + lists + bytes("0200000000");
    auto map_field = bytes("0d0063") + maps + bytes("020200000000");
    for (const auto& field : {structs, list_field, map_field})
      EXPECT_EQ(decode_body<update_response>(update_reply_with(field)).has_value(), depth == 10)
          << depth;
  }
}

TEST(ThriftCodec, ListsOfEmptyStructsComeBackAsTheyWent) {
  duplicate_request request;
  request.entries.resize(1000);  // entries without a field are a STOP each
  auto again = decode_body<duplicate_request>(encode_body(request));
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->entries.size(), 1000u);
}

}  // namespace
}  // namespace pegmove::wire
