#include "wire/frame.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace pegmove::wire {
namespace {

using base::from_hex;
using base::store_big_endian;
using base::store_little_endian;
using base::to_hex;

constexpr std::string_view kGet = "RPC_RRDB_RRDB_GET";

std::string bytes(std::string_view hex) { return from_hex(hex).value(); }

// A request for the value of hash key "hk", sort key "s".
RequestHead get_head(Framing framing) {
  RequestHead head{.framing = framing,
                   .id = 7,
                   .name = kGet,
                   .gpid = {2, 3},
                   .partition_hash = 0x1122334455667788,
                   .timeout_ms = 5000};
  if (framing != Framing::kRdsn) return head;
  head.id = 9;
  head.trace_id = 0x0102030405060708;
  return head;
}

std::string get_body(Framing framing) {
  return bytes(framing == Framing::kRdsn ? "0c0000000000050002686b7300"
                                         : "0c0001000000050002686b7300");
}

std::string rdsn_get() {
  return bytes(
             "5244534e00000000c0000000000000000d00000000000000090000000000000008070605040302015250"
             "435f525244425f525244425f474554") +
         std::string(39, '\0') +
         bytes(
             "020000000300000041040000000000000000000000000000"
             "88130000e13d00008877665544332211") +
         std::string(56, '\0') + get_body(Framing::kRdsn);
}

struct Golden {
  RequestHead head;
  std::string body;
  std::string frame;
};

// Frames that Pegasus's own clients made or accepted.
std::vector<Golden> golden_requests() {
  RequestHead query{.framing = Framing::kThriftV0,
                    .id = 1,
                    .name = "RPC_CM_QUERY_PARTITION_CONFIG_BY_INDEX",
                    .gpid = {},
                    .timeout_ms = 1000};
  return {
      {get_head(Framing::kThriftV0), get_body(Framing::kThriftV0),
       bytes(
           "544846540000000000000030000000000000002a0000000000000002000000030000138800003de1112233"
           "445566778880010001000000115250435f525244425f525244425f474554000000070c00010000000500"
           "02686b7300")},
      {get_head(Framing::kThriftV1), get_body(Framing::kThriftV1),
       bytes("5448465400000001000000250000002a080001000000020800020000000308000300001388"
             "0a00041122334455667788020005000080010001000000115250435f525244425f525244425f474554"
             "000000070c0001000000050002686b7300")},
      {query, bytes("0c00010b00010000000474656d700f000208000000000000"),
       bytes("544846540000000000000030000000000000004a000000000000000000000000000003e80000000000000"
             "000"
             "0000000080010001000000265250435f434d5f51554552595f504152544954494f4e5f434f4e46494"
             "75f42595f494e444558000000010c00010b00010000000474656d700f000208000000000000")},
      {get_head(Framing::kRdsn), get_body(Framing::kRdsn), rdsn_get()},
  };
}

constexpr std::string_view kReplyOk =
    "0000005b000000064552525f4f4b80010002000000155250435f525244425f525244425f4745545f41434b"
    "000000070c0000080001000000000c0002000000017608000300000002080004000000030b00060000000368"
    "3a310000";
constexpr std::string_view kReplyNotFound =
    "0000003d000000144552525f4f424a4543545f4e4f545f464f554e4480010002000000155250435f52524442"
    "5f525244425f4745545f41434b00000007";

void expect_head(const RequestHead& got, const RequestHead& expected) {
  EXPECT_EQ(got.framing, expected.framing);
  EXPECT_EQ(got.id, expected.id);
  EXPECT_EQ(got.name, expected.name);
  EXPECT_EQ(got.gpid, expected.gpid);
  EXPECT_EQ(got.partition_hash, expected.partition_hash);
  EXPECT_EQ(got.timeout_ms, expected.timeout_ms);
  EXPECT_EQ(got.is_backup_request, expected.is_backup_request);
  EXPECT_EQ(got.trace_id, expected.trace_id);
  EXPECT_EQ(got.from_address, expected.from_address);
}

// What a connection does with bytes: measures them, and parses them when they are a whole frame.
bool is_request(std::string_view frame) {
  auto size = measure_request(frame);
  return size && *size == frame.size() && parse_request(frame);
}
bool is_reply(Framing framing, std::string_view frame) {
  auto size = measure_reply(framing, frame);
  return size && *size == frame.size() && parse_reply(framing, frame);
}

Code parse_error(std::string_view frame) {
  EXPECT_EQ(measure_request(frame).value_or(0), frame.size());
  auto request = parse_request(frame);
  EXPECT_FALSE(request);
  return request ? Code::kInternal : request.error().code();
}

// The frame with its body length updated after a change.
std::string with_body_length(std::string frame) {
  if (frame.starts_with("RDSN")) {
    store_little_endian(&frame[16], uint32_t(frame.size() - 192));
  } else if (frame[7] == 0) {
    store_big_endian(&frame[16], uint32_t(frame.size() - 48));
  } else {
    auto meta_size = base::load_big_endian<uint32_t>(&frame[8]);
    store_big_endian(&frame[12], uint32_t(frame.size() - 16 - meta_size));
  }
  return frame;
}
std::string mended_reply(std::string frame) {
  store_big_endian(frame.data(), uint32_t(frame.size()));
  return frame;
}

TEST(Frame, ReadsTheGoldenRequests) {
  for (const auto& golden : golden_requests()) {
    EXPECT_EQ(measure_request(golden.frame), golden.frame.size());
    EXPECT_EQ(measure_request(golden.frame + "next"), golden.frame.size());
    auto request = parse_request(golden.frame);
    ASSERT_TRUE(request) << request.error().to_string();
    expect_head(request->head, golden.head);
    EXPECT_EQ(to_hex(request->body), to_hex(golden.body));
    // What a limit on writes counts: in THFT the TMessage too.
    bool is_rdsn = golden.head.framing == Framing::kRdsn;
    EXPECT_EQ(request->head.message_size,
              golden.body.size() + (is_rdsn ? 0 : 12 + golden.head.name.size()));
  }
}

TEST(Frame, WritesTheGoldenRequestsBehindWhatIsThere) {
  for (const auto& golden : golden_requests()) {
    std::string out = "before";
    append_request(out, golden.head, golden.body);
    EXPECT_EQ(to_hex(out), to_hex("before" + golden.frame));
  }
}

TEST(Frame, ReadsAndWritesTheGoldenReplies) {
  for (auto framing : {Framing::kThriftV0, Framing::kThriftV1}) {
    auto frame = bytes(kReplyOk);
    EXPECT_EQ(measure_reply(framing, frame + "next"), frame.size());
    auto reply = parse_reply(framing, frame);
    ASSERT_TRUE(reply) << reply.error().to_string();
    EXPECT_EQ(reply->head.id, 7U);
    EXPECT_EQ(reply->head.name, "RPC_RRDB_RRDB_GET_ACK");
    EXPECT_EQ(reply->head.error, ErrorCode::kOk);
    std::string out = "before";
    append_reply(out, get_head(framing), ErrorCode::kOk, reply->body, 0);
    EXPECT_EQ(to_hex(out), to_hex("before" + frame));
  }
}

TEST(Frame, ReadsAndWritesTheGoldenReplyWithAnError) {
  auto frame = bytes(kReplyNotFound);
  auto reply = parse_reply(Framing::kThriftV0, frame);
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->head.error, ErrorCode::kObjectNotFound);
  EXPECT_EQ(reply->body, "");
  std::string out;
  append_reply(out, get_head(Framing::kThriftV0), ErrorCode::kObjectNotFound, "", 0);
  EXPECT_EQ(to_hex(out), kReplyNotFound);
}

TEST(Frame, WritesRdsnRepliesThatItReads) {
  std::string out;
  append_reply(out, get_head(Framing::kRdsn), ErrorCode::kObjectNotFound, "body",
               0x7f00000187f10001);
  ASSERT_EQ(out.size(), 196U);
  EXPECT_EQ(measure_reply(Framing::kRdsn, out + "next"), out.size());
  auto reply = parse_reply(Framing::kRdsn, out);
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->head.framing, Framing::kRdsn);
  EXPECT_EQ(reply->head.id, 9U);
  EXPECT_EQ(reply->head.name, "RPC_RRDB_RRDB_GET_ACK");
  EXPECT_EQ(reply->head.error, ErrorCode::kObjectNotFound);
  EXPECT_EQ(reply->body, "body");
  EXPECT_EQ(to_hex(out.substr(32, 8)), "0807060504030201") << "trace id";
  EXPECT_EQ(to_hex(out.substr(96, 8)), "0200000003000000") << "gpid";
  EXPECT_EQ(to_hex(out.substr(104, 8)), "4004000000000000") << "context";
  EXPECT_EQ(to_hex(out.substr(112, 8)), "0100f1870100007f") << "from_address";
  EXPECT_EQ(out.substr(136, 21), std::string("ERR_OBJECT_NOT_FOUND\0", 21));
}

TEST(Frame, TakesReplyAndRequestForWhatTheyAre) {
  std::string reply;
  append_reply(reply, get_head(Framing::kRdsn), ErrorCode::kOk, "", 0);
  EXPECT_EQ(parse_error(reply), Code::kProtocol);
  EXPECT_FALSE(is_reply(Framing::kRdsn, rdsn_get()));
  EXPECT_FALSE(is_reply(Framing::kThriftV0, golden_requests()[0].frame));
}

TEST(Frame, WritesTheGoldenChecksums) {
  std::string out = "before";
  append_request(out, get_head(Framing::kRdsn), get_body(Framing::kRdsn), true);
  auto frame = out.substr(6);
  EXPECT_EQ(to_hex(frame.substr(20, 4)), "071688b4");
  EXPECT_EQ(to_hex(frame.substr(12, 4)), "8b7e2ff5");
  auto request = parse_request(frame);
  ASSERT_TRUE(request) << request.error().to_string();
  expect_head(request->head, get_head(Framing::kRdsn));
}

TEST(Frame, NoticesEveryFlippedBitWhenChecksumsAreOn) {
  std::string request, reply;
  append_request(request, get_head(Framing::kRdsn), get_body(Framing::kRdsn), true);
  append_reply(reply, get_head(Framing::kRdsn), ErrorCode::kOk, "body", 1, true);
  ASSERT_TRUE(is_request(request));
  ASSERT_TRUE(is_reply(Framing::kRdsn, reply));
  for (size_t bit = 0; bit < request.size() * 8; ++bit) {
    auto flipped = request;
    flipped[bit / 8] = char(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(is_request(flipped)) << bit;
  }
  for (size_t bit = 0; bit < reply.size() * 8; ++bit) {
    auto flipped = reply;
    flipped[bit / 8] = char(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(is_reply(Framing::kRdsn, flipped)) << bit;
  }
}

TEST(Frame, CallsAWrongChecksumCorruption) {
  std::string frame;
  append_request(frame, get_head(Framing::kRdsn), get_body(Framing::kRdsn), true);
  for (size_t at : {size_t{24}, frame.size() - 1}) {
    auto flipped = frame;
    flipped[at] ^= 1;
    EXPECT_EQ(parse_error(flipped), Code::kCorrupt) << at;
  }
}

TEST(Frame, WantsMoreBytesAtEveryTruncation) {
  for (const auto& golden : golden_requests()) {
    for (size_t size = 0; size < golden.frame.size(); ++size) {
      auto measured = measure_request(golden.frame.substr(0, size));
      ASSERT_TRUE(measured) << size;
      EXPECT_TRUE(*measured == 0 || *measured == golden.frame.size()) << size;
    }
  }
  std::string rdsn;
  append_reply(rdsn, get_head(Framing::kRdsn), ErrorCode::kOk, "body", 1);
  for (auto framing : {Framing::kRdsn, Framing::kThriftV0, Framing::kThriftV1}) {
    auto frame = framing == Framing::kRdsn ? rdsn : bytes(kReplyOk);
    for (size_t size = 0; size < frame.size(); ++size) {
      auto measured = measure_reply(framing, frame.substr(0, size));
      ASSERT_TRUE(measured) << size;
      EXPECT_TRUE(*measured == 0 || *measured == frame.size()) << size;
    }
  }
}

TEST(Frame, RefusesAHeadThatItsFrameCutsOff) {
  for (const auto& golden : golden_requests()) {
    if (golden.head.framing == Framing::kRdsn) continue;  // its head has a fixed size
    size_t body_at = golden.frame.size() - golden.body.size();
    size_t message_at = body_at - 12 - golden.head.name.size();
    for (size_t size = message_at; size < golden.frame.size(); ++size)
      EXPECT_EQ(is_request(with_body_length(golden.frame.substr(0, size))), size >= body_at)
          << size;
  }
  auto reply = bytes(kReplyNotFound);
  for (size_t size = 4; size < reply.size(); ++size)
    EXPECT_FALSE(is_reply(Framing::kThriftV0, mended_reply(reply.substr(0, size)))) << size;
}

TEST(Frame, RefusesClaimsBeyondTheLimit) {
  for (const auto& golden : golden_requests()) {
    auto frame = golden.frame;
    EXPECT_TRUE(measure_request(frame, frame.size()));
    EXPECT_FALSE(measure_request(frame, frame.size() - 1));
    auto lengths = golden.head.framing == Framing::kThriftV1 ? std::vector<size_t>{8, 12}
                                                             : std::vector<size_t>{16};
    for (size_t at : lengths) {
      for (size_t i = at; i < at + 4; ++i) frame[i] = '\xff';
      EXPECT_FALSE(measure_request(frame)) << at;
      EXPECT_FALSE(measure_request(frame, 0xffffffff)) << at;
    }
  }
  for (auto framing : {Framing::kThriftV0, Framing::kThriftV1}) {
    EXPECT_FALSE(measure_reply(framing, "\xff\xff\xff\xff"));
    EXPECT_FALSE(measure_reply(framing, bytes("80000000")));
    EXPECT_TRUE(measure_reply(framing, bytes("04000000")));
    EXPECT_FALSE(measure_reply(framing, bytes("04000001")));
  }
}

TEST(Frame, RefusesAReplyShorterThanItsLength) {
  for (std::string_view hex : {"00000000", "00000001", "00000003"})
    EXPECT_FALSE(measure_reply(Framing::kThriftV0, bytes(hex))) << hex;
  EXPECT_FALSE(is_reply(Framing::kThriftV0, bytes("00000004")));
}

TEST(Frame, RefusesAnUnknownMagic) {
  for (std::string_view start : {"GET ", "POST", "_RAW", "RDSM", "thft", "THFS"}) {
    auto whole = std::string(start) + rdsn_get().substr(4);
    EXPECT_FALSE(measure_request(whole)) << start;
    EXPECT_FALSE(measure_request(start)) << start;
    EXPECT_FALSE(measure_reply(Framing::kRdsn, start)) << start;
    EXPECT_EQ(measure_request(start.substr(0, 3)), 0U) << start;
  }
}

TEST(Frame, RefusesUnknownVersionsAndWrongHeaderLengths) {
  auto v0 = golden_requests()[0].frame;
  for (uint32_t version : {2U, 0x100U, 0xffffffffU}) {
    auto frame = v0;
    store_big_endian(&frame[4], version);
    EXPECT_FALSE(measure_request(frame)) << version;
  }
  for (uint32_t length : {0U, 47U, 49U, 0xffffffffU}) {
    auto frame = v0;
    store_big_endian(&frame[8], length);
    EXPECT_FALSE(measure_request(frame)) << length;
    frame = rdsn_get();
    store_little_endian(&frame[8], length);
    EXPECT_FALSE(measure_request(frame)) << length;
    EXPECT_FALSE(measure_reply(Framing::kRdsn, frame)) << length;
  }
}

TEST(Frame, RefusesBodiesThatAreNotThriftBinary) {
  for (uint64_t format : {0, 2, 3, 15}) {
    auto frame = rdsn_get();
    store_little_endian(&frame[104], 0x401 | format << 6);
    EXPECT_EQ(parse_error(frame), Code::kProtocol) << format;
  }
}

TEST(Frame, KeepsFortySevenBytesOfAName) {
  std::string name(60, 'n');
  auto shorter = name.substr(0, 47);
  std::string frame;
  append_request(frame, {.name = name, .gpid = {}}, "body");
  ASSERT_EQ(frame.size(), 196U);
  EXPECT_EQ(parse_request(frame)->head.name, shorter);
  for (size_t i = 40; i < 88; ++i) frame[i] = 'n';  // no zero byte at the end
  EXPECT_EQ(parse_request(frame)->head.name, shorter);

  frame.clear();
  append_reply(frame, {.name = shorter, .gpid = {}}, ErrorCode::kOk, "body", 0);
  EXPECT_EQ(parse_reply(Framing::kRdsn, frame)->head.name, shorter);
  EXPECT_EQ(frame[87], '\0');
}

TEST(Frame, TakesUnknownErrorNamesForUnknown) {
  auto thft = bytes(kReplyOk);
  thft[13] = 'X';  // ERR_OX
  EXPECT_EQ(parse_reply(Framing::kThriftV0, thft)->head.error, ErrorCode::kUnknown);

  std::string rdsn;
  append_reply(rdsn, get_head(Framing::kRdsn), ErrorCode::kOk, "", 0);
  rdsn[142] = 'X';  // ERR_OKX
  EXPECT_EQ(parse_reply(Framing::kRdsn, rdsn)->head.error, ErrorCode::kUnknown);
}

TEST(Frame, CarriesTheMarkOfABackupRequest) {
  std::map<Framing, std::string> frames;
  for (auto framing : {Framing::kRdsn, Framing::kThriftV1}) {
    auto head = get_head(framing);
    head.is_backup_request = true;
    append_request(frames[framing], head, get_body(framing));
    EXPECT_TRUE(parse_request(frames[framing])->head.is_backup_request);
  }
  EXPECT_EQ(to_hex(frames[Framing::kRdsn].substr(104, 8)), "410c000000000000");
}

TEST(Frame, GivesRepliesTheIdOfTheirRequest) {
  for (uint64_t id : {uint64_t{0}, uint64_t{0x80000000}, uint64_t{0xffffffff}}) {
    for (auto framing : {Framing::kRdsn, Framing::kThriftV0, Framing::kThriftV1}) {
      auto head = get_head(framing);
      head.id = framing == Framing::kRdsn ? id << 32 | id : id;
      std::string request, reply;
      append_request(request, head, "");
      EXPECT_EQ(parse_request(request)->head.id, head.id);
      append_reply(reply, parse_request(request)->head, ErrorCode::kBusy, "", 0);
      EXPECT_EQ(parse_reply(framing, reply)->head.id, head.id);
    }
  }
}

TEST(Frame, SurvivesRandomChanges) {
  std::mt19937 random(1);
  auto requests = golden_requests();
  std::string rdsn;
  append_reply(rdsn, get_head(Framing::kRdsn), ErrorCode::kOk, "body", 1, true);
  for (int i = 0; i < 20'000; ++i) {
    auto frame = requests[random() % requests.size()].frame;
    auto reply = i % 2 ? rdsn : bytes(kReplyOk);
    for (int change = 0; change < 4; ++change) {
      frame[random() % frame.size()] = char(random());
      reply[random() % reply.size()] = char(random());
    }
    (void)is_request(frame);
    (void)is_reply(i % 2 ? Framing::kRdsn : Framing::kThriftV0, reply);
  }
}

TEST(ThreadHash, IsTheFormulaAndWrapsAround) {
  EXPECT_EQ(thread_hash({2, 3}), 15841);
  EXPECT_EQ(thread_hash({0, 0}), 0);
  Gpid largest{0x7fffffff, 0x7fffffff};  // may arrive in headers that have not been checked
  EXPECT_EQ(thread_hash(largest), int32_t(0x7fffffffU * 7919 + 0x7fffffff));
}

}  // namespace
}  // namespace pegmove::wire
