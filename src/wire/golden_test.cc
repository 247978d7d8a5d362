// Frames recorded from real Pegasus clusters and official clients: those of supported codes decode,
// and encode to the same bytes.
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "wire/code_messages.h"
#include "wire/frame.h"
#include "wire/rpc_code.h"
#include "wire/thrift_codec.h"

namespace pegmove::wire {
namespace {

using base::load_little_endian;
using base::to_hex;

constexpr std::string_view kFolder = "tests/golden/";

std::string bytes(const nlohmann::json& hex) {
  return base::from_hex(hex.get<std::string>()).value();
}

std::vector<nlohmann::json> read_lines(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(nlohmann::json::parse(line));
  EXPECT_FALSE(lines.empty()) << path;
  return lines;
}

std::string_view without_ack(std::string_view name) {
  if (name.ends_with("_ACK")) name.remove_suffix(4);
  return name;
}

// Decodes the body of a request (or reply) of the code and encodes it again.
template <typename Message>
Result<std::string> encode_again(std::string_view body, int16_t field_id) {
  auto message = TRY(decode_body<Message>(body));
  return encode_body(message, field_id);
}
Result<std::string> encode_again(RpcCode code, bool is_request, std::string_view body,
                                 int16_t field_id) {
  if (code == RpcCode::kClearScanner) {
    auto context_id = TRY(decode_i64_body(body));
    std::string again;
    append_i64_body(again, context_id, field_id);
    return again;
  }
  if (code == RpcCode::kCliCall) {  // the request is a struct, the reply a bare string
    if (is_request) return encode_again<command>(body, field_id);
    auto text = TRY(decode_string_body(body));
    std::string out;
    append_string_body(out, text, field_id);
    return out;
  }
  Result<std::string> unknown = fail(Code::kInternal, "no structs in code_messages.h");
  return visit_messages(
      code,
      [&]<typename Request, typename Reply>(std::type_identity<Request>,
                                            std::type_identity<Reply>) {
        return is_request ? encode_again<Request>(body, field_id)
                          : encode_again<Reply>(body, field_id);
      },
      unknown);
}

// One line of a file of frames.
struct Recorded {
  std::string name;
  bool is_request;
  std::string header;
  std::string body;

  explicit Recorded(const nlohmann::json& line)
      : name(line.at("rpc")),
        is_request(line.at("kind") == "request"),
        header(bytes(line.at("header"))),
        body(bytes(line.at("body"))) {}
  RpcCode code() const { return rpc_code_from_name(without_ack(name)); }
  std::string frame() const { return header + body; }
};

std::vector<Recorded> recorded_frames() {
  std::vector<Recorded> frames;
  for (const char* file : {"frames.rdsn.jsonl", "duplication/checkpoint-copy.jsonl"})
    for (const auto& line : read_lines(std::string(kFolder) + file)) frames.emplace_back(line);
  return frames;
}

// The head of the request that a recorded reply answers, from the reply's own header.
RequestHead answered(const Recorded& reply) {
  const char* header = reply.header.data();
  return {
      .id = load_little_endian<uint64_t>(header + 24),
      .name = without_ack(reply.name),
      .gpid = {load_little_endian<int32_t>(header + 96), load_little_endian<int32_t>(header + 100)},
      .trace_id = load_little_endian<uint64_t>(header + 32)};
}

std::string written_again(const Recorded& recorded) {
  std::string out;
  if (recorded.is_request) {
    auto frame = recorded.frame();
    auto request = parse_request(frame);
    EXPECT_TRUE(request) << request.error().to_string();
    if (request && recorded.code() == RpcCode::kQueryLastCheckpoint)
      request->head.thread_of = decode_body<learn_request>(request->body).value().pid.id;
    if (request) append_request(out, request->head, request->body);
    return out;
  }
  auto frame = recorded.frame();
  auto reply = parse_reply(Framing::kRdsn, frame);
  EXPECT_TRUE(reply) << reply.error().to_string();
  auto address = load_little_endian<uint64_t>(recorded.header.data() + 112);
  if (reply) append_reply(out, answered(recorded), reply->head.error, reply->body, address);
  return out;
}

// What may differ from a recorded header: numbers that mean something inside one process only, and,
// in replies, what real servers copy from the request and no client reads.
std::string comparable(std::string header, bool is_request) {
  auto blank = [&](size_t from, size_t to) { header.replace(from, to - from, to - from, '\0'); };
  blank(88, 96);                     // rpc_code.local_code and local_hash
  blank(184, 192);                   // server.error_code.local_code and local_hash
  if (!is_request) blank(120, 136);  // client.timeout_ms, thread_hash, partition_hash
  return header;
}

TEST(Golden, RecordedFramesAreWhole) {
  for (const auto& recorded : recorded_frames()) {
    auto frame = recorded.frame();
    auto size = recorded.is_request ? measure_request(frame) : measure_reply(Framing::kRdsn, frame);
    EXPECT_EQ(size, frame.size()) << recorded.name;
    if (recorded.is_request) {
      auto request = parse_request(frame);
      ASSERT_TRUE(request) << recorded.name << request.error().to_string();
      EXPECT_EQ(request->head.name, recorded.name);
    } else {
      auto reply = parse_reply(Framing::kRdsn, frame);
      ASSERT_TRUE(reply) << recorded.name << reply.error().to_string();
      EXPECT_EQ(reply->head.name, recorded.name);
      EXPECT_NE(reply->head.error, ErrorCode::kUnknown);
    }
  }
}

TEST(Golden, RecordedHeadersAreThoseWeWrite) {
  for (const auto& recorded : recorded_frames()) {
    // The thread hash of some codes between servers follows other rules than that of clients.
    if (recorded.code() == RpcCode::kUnknown) continue;
    auto ours = written_again(recorded);
    ASSERT_EQ(ours.size(), recorded.frame().size()) << recorded.name;
    EXPECT_EQ(to_hex(comparable(ours.substr(0, 192), recorded.is_request)),
              to_hex(comparable(recorded.header, recorded.is_request)))
        << recorded.name;
  }
}

TEST(Golden, RecordedBodiesEncodeToTheSameBytes) {
  std::set<std::string> not_spoken;
  std::map<std::string, int> recorded_count, decoded_count;
  for (const auto& recorded : recorded_frames()) {
    auto code = recorded.code();
    if (code == RpcCode::kUnknown) {
      not_spoken.emplace(without_ack(recorded.name));
      continue;
    }
    ++recorded_count[recorded.name];
    if (recorded.body.empty()) continue;  // an error
    auto again = encode_again(code, recorded.is_request, recorded.body, 0);
    ASSERT_TRUE(again) << recorded.name << ": " << again.error().to_string();
    EXPECT_EQ(to_hex(*again), to_hex(recorded.body)) << recorded.name;
    ++decoded_count[recorded.name];
  }
  for (const auto& [name, count] : recorded_count)
    EXPECT_GT(decoded_count[name], 0) << "none of " << count << " frames decoded: " << name;
  for (const auto& name : not_spoken) std::cout << "not spoken yet: " << name << "\n";
}

TEST(Golden, EveryTruncationOfARecordedBodyIsRefused) {
  for (const auto& recorded : recorded_frames()) {
    auto code = recorded.code();
    if (code == RpcCode::kUnknown || recorded.body.size() > 2000) continue;
    for (size_t size = 0; size < recorded.body.size(); ++size)
      ASSERT_FALSE(encode_again(code, recorded.is_request, recorded.body.substr(0, size), 0))
          << recorded.name << size;
  }
}

TEST(Golden, EverySpokenCodeHasItsStructs) {
#define PEGMOVE_LISTED(identifier, name)                                                           \
  if (RpcCode::identifier != RpcCode::kClearScanner && RpcCode::identifier != RpcCode::kCliCall) { \
    EXPECT_TRUE(visit_messages(                                                                    \
        RpcCode::identifier, [](auto, auto) { return true; }, false))                              \
        << (name) << " is missing in code_messages.h";                                             \
  }
  PEGMOVE_RPC_CODES(PEGMOVE_LISTED)
#undef PEGMOVE_LISTED
}

class Transcript : public testing::TestWithParam<const char*> {
 protected:
  std::vector<nlohmann::json> lines() const {
    return read_lines(std::string(kFolder) + "transcripts/" + GetParam() + ".jsonl");
  }
};

TEST_P(Transcript, RequestsParseDecodeAndAreWrittenTheSame) {
  for (const auto& line : lines()) {
    if (line.at("dir") != "request") continue;
    auto frame = bytes(line.at("frame"));
    EXPECT_EQ(measure_request(frame), frame.size()) << line.at("n");
    auto request = parse_request(frame);
    ASSERT_TRUE(request) << line.at("n") << request.error().to_string();
    const auto& head = request->head;
    EXPECT_EQ(head.name, line.at("rpc").get<std::string>());
    EXPECT_EQ(int64_t(head.id), line.at("seqid").get<int64_t>());
    EXPECT_EQ(head.gpid, (Gpid{line.at("gpid")[0], line.at("gpid")[1]}));
    bool is_java = GetParam() == std::string_view("java");
    EXPECT_EQ(head.framing, is_java ? Framing::kThriftV1 : Framing::kThriftV0);
    std::string ours;
    append_request(ours, head, request->body);
    EXPECT_EQ(to_hex(ours), line.at("frame").get<std::string>()) << line.at("n");
    auto code = rpc_code_from_name(head.name);
    if (code == RpcCode::kUnknown) continue;
    auto again = encode_again(code, true, request->body, request_field_id(head.framing));
    EXPECT_TRUE(again) << line.at("n") << ": " << again.error().to_string();
  }
}

TEST_P(Transcript, RepliesParseDecodeAndAreWrittenTheSame) {
  for (const auto& line : lines()) {
    if (line.at("dir") != "response") continue;
    auto frame = bytes(line.at("frame"));
    EXPECT_EQ(measure_reply(Framing::kThriftV0, frame), frame.size()) << line.at("n");
    auto reply = parse_reply(Framing::kThriftV0, frame);
    ASSERT_TRUE(reply) << line.at("n") << reply.error().to_string();
    const auto& head = reply->head;
    EXPECT_EQ(head.name, line.at("rpc").get<std::string>());
    EXPECT_EQ(int64_t(head.id), line.at("seqid").get<int64_t>());
    EXPECT_EQ(error_name(head.error), line.at("error").get<std::string>());
    auto code = rpc_code_from_name(without_ack(head.name));
    // The bodies of errors and of unknown codes stay as they are.
    const bool is_known = code != RpcCode::kUnknown && head.error == ErrorCode::kOk;
    Result<std::string> body = std::string(reply->body);
    if (is_known) body = encode_again(code, false, *body, 0);
    ASSERT_TRUE(body) << line.at("n") << ": " << body.error().to_string();
    RequestHead answered{
        .framing = Framing::kThriftV0, .id = head.id, .name = without_ack(head.name), .gpid = {}};
    std::string ours;
    append_reply(ours, answered, head.error, *body, 0);
    EXPECT_EQ(to_hex(ours), line.at("frame").get<std::string>()) << line.at("n");
  }
}

INSTANTIATE_TEST_SUITE_P(OfficialClients, Transcript,
                         testing::Values("go", "java", "node", "python", "admin-cli", "pegic"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

}  // namespace
}  // namespace pegmove::wire
