#include "wire/row_messages.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "data_types.h"
#include "wire/binary.h"
#include "wire/thrift_codec.h"

namespace pegmove::wire {
namespace {

using base::to_hex;

constexpr int kRounds = 300;

std::string bytes(std::string_view hex) { return base::from_hex(hex).value(); }

// Random contents, the same in every run.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::string bytes() {
    std::string text(number<uint32_t>() % 3 ? number<uint32_t>() % 40 : 0, '\0');
    for (char& byte : text) byte = char(engine_());
    return text;
  }
  template <typename Int>
  Int number() {
    return Int(engine_());
  }
  bool coin() { return engine_() % 2 == 0; }

 private:
  std::mt19937_64 engine_;
};

update_request random_put(Random& random) {
  update_request put;
  put.key.data = random.bytes();
  put.value.data = random.bytes();
  put.expire_ts_seconds = random.number<int32_t>();
  return put;
}

multi_put_request random_multi_put(Random& random) {
  multi_put_request put;
  put.hash_key.data = random.bytes();
  put.kvs.resize(random.number<uint32_t>() % 6);
  for (auto& row : put.kvs) {
    row.key.data = random.bytes();
    row.value.data = random.bytes();
  }
  put.expire_ts_seconds = random.number<int32_t>();
  return put;
}

update_response random_update_reply(Random& random) {
  update_response reply;
  reply.error = random.number<int32_t>();
  reply.app_id = random.number<int32_t>();
  reply.partition_index = random.number<int32_t>();
  reply.decree = random.number<int64_t>();
  reply.server = random.bytes();
  return reply;
}

scan_response random_scan_reply(Random& random) {
  scan_response reply;
  reply.error = random.number<int32_t>();
  reply.kvs.resize(random.number<uint32_t>() % 6);
  for (auto& row : reply.kvs) {
    row.key.data = random.bytes();
    row.value.data = random.bytes();
    if (random.coin()) row.__set_expire_ts_seconds(random.number<int32_t>());
  }
  reply.context_id = random.number<int64_t>();
  reply.app_id = random.number<int32_t>();
  reply.partition_index = random.number<int32_t>();
  reply.server = random.bytes();
  if (random.coin()) reply.__set_kv_count(random.number<int32_t>() & 0x7fffffff);
  return reply;
}

std::string with_builder(const scan_response& reply) {
  ScanReplyBuilder builder;
  for (const auto& row : reply.kvs)
    builder.add(row.key.data, row.value.data, row.__isset.expire_ts_seconds,
                uint32_t(row.expire_ts_seconds));
  EXPECT_EQ(builder.rows(), reply.kvs.size());
  return std::move(builder).finish({.error = reply.error,
                                    .context_id = reply.context_id,
                                    .app_id = reply.app_id,
                                    .partition_index = reply.partition_index,
                                    .server = reply.server,
                                    .row_count = reply.__isset.kv_count ? reply.kv_count : -1});
}

// A decoder of row_messages.h, and whether it accepts a body.
struct Decoder {
  const char* name;
  std::function<bool(std::string_view)> accepts;
  std::string body;
};
std::vector<Decoder> decoders() {
  Random random(5);
  auto scan = random_scan_reply(random);
  scan.kvs.resize(3);
  auto put = random_multi_put(random);
  put.kvs.resize(3);
  return {
      {"put", [](auto body) { return decode_put(body).has_value(); },
       encode_body(random_put(random))},
      {"multi_put", [](auto body) { return decode_multi_put(body).has_value(); }, encode_body(put)},
      {"update reply", [](auto body) { return decode_update_reply(body).has_value(); },
       encode_body(random_update_reply(random))},
      {"scan reply", [](auto body) { return decode_scan_reply(body).has_value(); },
       encode_body(scan)},
  };
}

TEST(RowMessages, PutsAreThoseOfTheGeneratedStruct) {
  Random random(1);
  for (int i = 0; i < kRounds; ++i) {
    auto put = random_put(random);
    auto field_id = int16_t(i % 2);
    auto body = encode_body(put, field_id);
    auto view = decode_put(body);
    ASSERT_TRUE(view) << view.error().to_string();
    EXPECT_EQ(view->key, put.key.data);
    EXPECT_EQ(view->value, put.value.data);
    EXPECT_EQ(view->expire_ts, uint32_t(put.expire_ts_seconds));
    std::string written = "before";
    append_put(written, *view, field_id);
    EXPECT_EQ(to_hex(written), to_hex("before" + body));
  }
}

TEST(RowMessages, MultiPutsAreThoseOfTheGeneratedStruct) {
  Random random(2);
  for (int i = 0; i < kRounds; ++i) {
    auto put = random_multi_put(random);
    auto field_id = int16_t(i % 2);
    auto body = encode_body(put, field_id);
    auto view = decode_multi_put(body);
    ASSERT_TRUE(view) << view.error().to_string();
    EXPECT_EQ(view->hash_key, put.hash_key.data);
    EXPECT_EQ(view->expire_ts, uint32_t(put.expire_ts_seconds));
    ASSERT_EQ(view->rows.size(), put.kvs.size());
    for (size_t row = 0; row < put.kvs.size(); ++row) {
      EXPECT_EQ(view->rows[row].key, put.kvs[row].key.data);
      EXPECT_EQ(view->rows[row].value, put.kvs[row].value.data);
    }
    std::string written = "before";
    append_multi_put(written, *view, field_id);
    EXPECT_EQ(to_hex(written), to_hex("before" + body));
  }
}

TEST(RowMessages, RepliesToWritesAreThoseOfTheGeneratedStruct) {
  Random random(3);
  for (int i = 0; i < kRounds; ++i) {
    auto reply = random_update_reply(random);
    auto body = encode_body(reply);
    auto view = decode_update_reply(body);
    ASSERT_TRUE(view) << view.error().to_string();
    EXPECT_EQ(view->error, reply.error);
    EXPECT_EQ(view->app_id, reply.app_id);
    EXPECT_EQ(view->partition_index, reply.partition_index);
    EXPECT_EQ(view->decree, reply.decree);
    EXPECT_EQ(view->server, reply.server);
    std::string written = "before";
    append_update_reply(written, *view);
    EXPECT_EQ(to_hex(written), to_hex("before" + body));
  }
}

TEST(RowMessages, ScanRepliesAreThoseOfTheGeneratedStruct) {
  Random random(4);
  for (int i = 0; i < kRounds; ++i) {
    auto reply = random_scan_reply(random);
    auto body = encode_body(reply);
    EXPECT_EQ(to_hex(with_builder(reply)), to_hex(body));
    auto view = decode_scan_reply(body);
    ASSERT_TRUE(view) << view.error().to_string();
    EXPECT_EQ(view->error, reply.error);
    EXPECT_EQ(view->context_id, reply.context_id);
    EXPECT_EQ(view->app_id, reply.app_id);
    EXPECT_EQ(view->partition_index, reply.partition_index);
    EXPECT_EQ(view->row_count, reply.__isset.kv_count ? reply.kv_count : 0);
    ASSERT_EQ(view->rows.size(), reply.kvs.size());
    for (size_t row = 0; row < reply.kvs.size(); ++row) {
      EXPECT_EQ(view->rows[row].key, reply.kvs[row].key.data);
      EXPECT_EQ(view->rows[row].value, reply.kvs[row].value.data);
      EXPECT_EQ(view->rows[row].expire_ts, uint32_t(reply.kvs[row].expire_ts_seconds));
    }
  }
}

TEST(RowMessages, AnEmptyScanReplyIsThatOfTheGeneratedStruct) {
  EXPECT_EQ(to_hex(ScanReplyBuilder().finish({})), to_hex(encode_body(scan_response())));
}

TEST(RowMessages, TheBuilderTellsItsSize) {
  ScanReplyBuilder builder;
  auto empty = builder.size();
  builder.add("key", "value", false, 0);
  EXPECT_EQ(builder.size(), empty + 7 + 3 + 7 + 5 + 1);
  EXPECT_EQ(builder.rows(), 1U);
}

TEST(RowMessages, ViewsPointIntoTheBody) {
  update_request written;
  written.key.data = "key";
  auto body = encode_body(written);
  auto put = decode_put(body);
  ASSERT_TRUE(put);
  EXPECT_GE(put->key.data(), body.data());
  EXPECT_LT(put->key.data(), body.data() + body.size());
}

TEST(RowMessages, MissingFieldsAreEmptyOrZero) {
  auto body = bytes("0c00000000");
  EXPECT_EQ(decode_put(body)->key, "");
  EXPECT_EQ(decode_multi_put(body)->rows.size(), 0U);
  EXPECT_EQ(decode_update_reply(body)->decree, 0);
  EXPECT_EQ(decode_scan_reply(body)->context_id, 0);
}

TEST(RowMessages, SkipsUnknownFields) {
  std::string fields;
  append_string_field(fields, 99, "text");
  append_bool_field(fields, 98, true);
  append_i64_field(fields, 97, 1);
  fields += bytes("0c00630800010000000100");                // struct
  fields += bytes("0d00630b0800000001000000016100000001");  // map
  fields += bytes("0f00630c000000020000");                  // list of empty structs
  fields += bytes("0e0063060000000200010002");              // set
  fields += bytes(
      "0a0001"
      "0000000000000007");  // field 1 with another type
  for (const auto& decoder : decoders()) {
    auto body = decoder.body;
    EXPECT_TRUE(decoder.accepts(body.insert(3, fields))) << decoder.name;
  }
}

TEST(RowMessages, SkipsThePrivateFieldsOfAPut) {
  update_request put;
  put.key.data = "key";
  put.__set_type(update_type::UT_INCR);
  put.__set_check_value_returned(true);
  put.__set_check_value_exist(true);
  blob value{"check"};
  put.__set_check_value(value);
  auto body = encode_body(put);
  auto view = decode_put(body);
  ASSERT_TRUE(view) << view.error().to_string();
  EXPECT_EQ(view->key, "key");
}

TEST(RowMessages, TakeTheLastOfTwoEqualFieldsLikeTheGeneratedStruct) {
  multi_put_request first, second;
  first.kvs.resize(3);
  second.kvs.resize(1);
  second.kvs[0].key.data = "last";
  auto tail = encode_body(second).substr(3);
  auto body = encode_body(first);
  body = body.substr(0, body.size() - 2) + tail;
  auto generated = decode_body<multi_put_request>(body);
  ASSERT_TRUE(generated) << generated.error().to_string();
  ASSERT_EQ(generated->kvs.size(), 1U);
  auto view = decode_multi_put(body);
  ASSERT_TRUE(view) << view.error().to_string();
  ASSERT_EQ(view->rows.size(), 1U);
  EXPECT_EQ(view->rows[0].key, "last");
}

TEST(RowMessages, RefuseEveryTruncationAndAnyTail) {
  for (const auto& decoder : decoders()) {
    ASSERT_TRUE(decoder.accepts(decoder.body)) << decoder.name;
    for (size_t size = 0; size < decoder.body.size(); ++size)
      EXPECT_FALSE(decoder.accepts(decoder.body.substr(0, size))) << decoder.name << size;
    EXPECT_FALSE(decoder.accepts(decoder.body + '\0')) << decoder.name;
    auto second_field = decoder.body;
    second_field.back() = '\x0c';
    EXPECT_FALSE(decoder.accepts(second_field)) << decoder.name;
  }
}

TEST(RowMessages, CallMalformedBodiesAProtocolError) {
  auto put = decode_put("");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), Code::kProtocol);
  EXPECT_NE(put.error().message().find("update_request"), std::string::npos);
}

TEST(RowMessages, RefuseDeepNesting) {
  for (int depth : {10, 100, 1'000'000}) {
    std::string structs, lists;
    for (int i = 0; i < depth; ++i) {
      append_field_begin(structs, BinaryReader::kStruct, 99);
      lists += bytes("0f00000001");
    }
    structs.append(size_t(depth), '\0');
    auto list_field = bytes("0f0063") + lists + bytes("0200000000");
    for (const auto& decoder : decoders()) {
      for (const auto& field : {structs, list_field}) {
        auto body = decoder.body;
        EXPECT_EQ(decoder.accepts(body.insert(3, field)), depth == 10) << decoder.name << depth;
      }
    }
  }
}

TEST(RowMessages, AgreeWithTheGeneratedStructsOnChangedBodies) {
  Random random(6);
  for (int i = 0; i < 20'000; ++i) {
    auto body = encode_body(random_scan_reply(random));
    for (int change = 0; change < 3; ++change)
      body[random.number<uint32_t>() % body.size()] = char(random.number<uint8_t>() % 16);
    auto view = decode_scan_reply(body);
    auto generated = decode_body<scan_response>(body);
    if (!view || !generated) continue;
    ASSERT_EQ(view->rows.size(), generated->kvs.size());
    EXPECT_EQ(view->context_id, generated->context_id);
    for (size_t row = 0; row < view->rows.size(); ++row)
      EXPECT_EQ(view->rows[row].key, generated->kvs[row].key.data);
  }
}

}  // namespace
}  // namespace pegmove::wire
