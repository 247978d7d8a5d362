#include "wire/thft_frame.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "wire/binary.h"
#include "wire/frame.h"

namespace pegmove::wire {
namespace {

constexpr std::string_view kGet = "RPC_RRDB_RRDB_GET";
// Args of a GET, and the beginning of a reply with ERR_OK and with ERR_OBJECT_NOT_FOUND.
constexpr std::string_view kArgs = "0c0001000000050002686b7300";
constexpr std::string_view kOk = "00000000000000064552525f4f4b";
constexpr std::string_view kNotFound = "00000000000000144552525f4f424a4543545f4e4f545f464f554e44";

std::string bytes(std::string_view hex) { return base::from_hex(hex).value(); }

bool is_request(std::string_view frame) {
  auto size = measure_request(frame);
  return size && *size == frame.size() && parse_request(frame);
}
bool is_reply(std::string_view frame) {
  auto size = measure_reply(Framing::kThriftV0, frame);
  return size && *size == frame.size() && parse_reply(Framing::kThriftV0, frame);
}

std::string message(uint8_t type, std::string_view name, std::string_view args) {
  std::string out;
  base::append_big_endian(out, 0x80010000 | type);
  base::append_big_endian(out, uint32_t(name.size()));
  out += name;
  base::append_big_endian(out, uint32_t{7});
  return out.append(args);
}

// A request of version 0 with the given TMessage and args.
std::string v0_frame(std::string_view message) {
  std::string frame = "THFT" + std::string(44, '\0');
  base::store_big_endian(&frame[8], uint32_t{48});
  base::store_big_endian(&frame[16], uint32_t(message.size()));
  return frame.append(message);
}
// A GET of version 1 with the given meta struct.
std::string v1_frame(std::string_view meta) {
  auto body = message(1, kGet, bytes(kArgs));
  std::string frame = "THFT" + std::string(12, '\0');
  base::store_big_endian(&frame[4], uint32_t{1});
  base::store_big_endian(&frame[8], uint32_t(meta.size()));
  base::store_big_endian(&frame[12], uint32_t(body.size()));
  return frame.append(meta).append(body);
}
// A reply with its first four bytes replaced by its length.
std::string reply_frame(std::string frame) {
  base::store_big_endian(frame.data(), uint32_t(frame.size()));
  return frame;
}

TEST(ThftFrame, KeepsFortySevenBytesOfAName) {
  std::string name(60, 'n');
  EXPECT_EQ(parse_request(v0_frame(message(1, name, "")))->head.name, name.substr(0, 47));
  EXPECT_EQ(parse_request(v0_frame(message(1, name.substr(0, 47), "")))->head.name,
            name.substr(0, 47));
}

TEST(ThftFrame, AcceptsRepliesOnlyWhereAReplyBelongs) {
  for (int type = 0; type < 256; ++type)
    EXPECT_EQ(is_reply(reply_frame(bytes(kOk) + message(uint8_t(type), "X_ACK", ""))), type == 2)
        << type;
}

TEST(ThftFrame, ReadsTheOldFormOfTMessage) {
  auto old_form = bytes("000000115250435f525244425f525244425f4745540100000007");
  auto call = v0_frame(old_form + bytes(kArgs));
  auto request = parse_request(call);
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->head.name, kGet);
  EXPECT_EQ(request->head.id, 7U);

  old_form = bytes("000000155250435f525244425f525244425f4745545f41434b0200000007");
  auto frame = reply_frame(bytes(kOk) + old_form + "body");
  auto reply = parse_reply(Framing::kThriftV0, frame);
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->head.name, "RPC_RRDB_RRDB_GET_ACK");
  EXPECT_EQ(reply->body, "body");
}

TEST(ThftFrame, AcceptsCallsAndOnewaysOnly) {
  for (int type = 0; type < 256; ++type)
    EXPECT_EQ(is_request(v0_frame(message(uint8_t(type), kGet, ""))), type == 1 || type == 4)
        << type;
}

TEST(ThftFrame, RefusesATMessageOfAnotherVersion) {
  auto frame = v0_frame(message(1, kGet, ""));
  frame[49] = 2;
  EXPECT_FALSE(is_request(frame));
}

TEST(ThftFrame, RefusesAMetaStructThatIsCutOff) {
  auto meta = bytes("08000100000002080002000000030800030000138802000500");
  ASSERT_FALSE(is_request(v1_frame(meta)));
  meta += '\0';
  ASSERT_TRUE(is_request(v1_frame(meta)));
  for (size_t size = 0; size < meta.size(); ++size)
    EXPECT_FALSE(is_request(v1_frame(meta.substr(0, size)))) << size;
}

TEST(ThftFrame, ReadsAMetaStructWithFieldsInAnyOrder) {
  auto frame = v1_frame(bytes("020005010a0004000000000000002a080002000000030800010000000200"));
  auto request = parse_request(frame);
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->head.gpid, (Gpid{2, 3}));
  EXPECT_EQ(request->head.partition_hash, 42U);
  EXPECT_EQ(request->head.timeout_ms, 0);
  EXPECT_TRUE(request->head.is_backup_request);
}

TEST(ThftFrame, SkipsUnknownFieldsOfAMetaStruct) {
  std::string meta;
  append_string_field(meta, 9, "text");
  append_i64_field(meta, 1, 77);  // field 1 is an i32
  meta += bytes("0c000a0800010000000500");
  meta += bytes("0d000b0b0800000001000000016100000001");
  meta += bytes("0f000c0c000000020000");
  meta += bytes("0400010000000000000000");
  append_i32_field(meta, 2, 6);
  auto frame = v1_frame(meta + '\0');
  auto request = parse_request(frame);
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->head.gpid, (Gpid{0, 6}));
  for (std::string_view unknown : {"010009", "110009", "ff0009", "800009"})
    EXPECT_FALSE(is_request(v1_frame(bytes(unknown) + std::string(20, '\0')))) << unknown;
}

TEST(ThftFrame, RefusesAMetaStructThatIsNestedDeeply) {
  std::string structs, lists;
  for (int i = 0; i < 100'000; ++i) {
    append_field_begin(structs, BinaryReader::kStruct, 9);
    lists += bytes("0f00000001");
  }
  std::string end(200'000, '\0');
  EXPECT_FALSE(is_request(v1_frame(structs + end)));
  EXPECT_FALSE(is_request(v1_frame(bytes("0f0009") + lists + end)));
}

TEST(ThftFrame, IgnoresWhatStandsBehindAnError) {
  for (std::string_view tail : {"", "x", "0c0000080001", "a whole default struct"}) {
    auto frame = reply_frame(bytes(kNotFound) + message(2, "X_ACK", tail));
    auto reply = parse_reply(Framing::kThriftV1, frame);
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_EQ(reply->head.error, ErrorCode::kObjectNotFound);
    EXPECT_EQ(reply->body, "");
  }
}

}  // namespace
}  // namespace pegmove::wire
