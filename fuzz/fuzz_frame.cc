// Frames from hostile bytes. The first byte selects what the rest is: bits 0 and 1 a request (0,
// 3), an RDSN reply (1) or a THFT reply (2); with bit 7 the frame's lengths are corrected, so that
// changed contents still make a whole frame. What parses must be the same after it is written and
// parsed again.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "wire/frame.h"

namespace pegmove::wire {
namespace {

enum Kind : uint8_t { kRequest = 0, kRdsnReply = 1, kThriftReply = 2, kRequestToo = 3 };

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz_frame: %s\n", what);
  std::abort();
}

void mend_lengths(Kind kind, std::string& bytes) {
  if (kind == kThriftReply) {
    if (bytes.size() >= 4) base::store_big_endian(bytes.data(), uint32_t(bytes.size()));
  } else if (bytes.starts_with("RDSN") && bytes.size() >= 192) {
    base::store_little_endian(&bytes[16], uint32_t(bytes.size() - 192));
  } else if (bytes.starts_with("THFT") && bytes.size() >= 16) {
    auto meta_size = base::load_big_endian<uint32_t>(&bytes[8]);
    if (base::load_big_endian<uint32_t>(&bytes[4]) == 1) {
      if (meta_size <= bytes.size() - 16)
        base::store_big_endian(&bytes[12], uint32_t(bytes.size() - 16 - meta_size));
    } else if (bytes.size() >= 48) {
      base::store_big_endian(&bytes[16], uint32_t(bytes.size() - 48));
    }
  }
}

Result<size_t> measure(Kind kind, std::string_view bytes) {
  if (kind == kRdsnReply) return measure_reply(Framing::kRdsn, bytes);
  if (kind == kThriftReply) return measure_reply(Framing::kThriftV0, bytes);
  return measure_request(bytes);
}

// The beginning of a valid frame is never refused, and its size does not change as bytes arrive.
void check_beginnings(Kind kind, std::string_view frame) {
  for (size_t size = 0; size < std::min<size_t>(frame.size(), 200); ++size) {
    auto measured = measure(kind, frame.substr(0, size));
    require(measured.has_value(), "the beginning of a good frame is refused");
    require(*measured == 0 || *measured == frame.size(), "the size changes as bytes arrive");
  }
}

void check_same(const Request& one, const Request& other) {
  const auto &a = one.head, &b = other.head;
  require(a.framing == b.framing && a.id == b.id && a.name == b.name && a.gpid == b.gpid,
          "framing, id, name or gpid changed");
  require(a.partition_hash == b.partition_hash && a.timeout_ms == b.timeout_ms &&
              a.is_backup_request == b.is_backup_request,
          "partition hash, timeout or backup mark changed");
  require(a.trace_id == b.trace_id && a.from_address == b.from_address,
          "trace id or address changed");
  require(one.body == other.body, "the body changed");
}

void check_reply_to(const RequestHead& head, ErrorCode error, std::string_view body) {
  for (bool with_checksums : {false, true}) {
    std::string frame;
    append_reply(frame, head, error, body, 1, with_checksums);
    require(measure_reply(head.framing, frame) == frame.size(), "a reply of ours has no size");
    auto reply = parse_reply(head.framing, frame);
    require(reply.has_value(), "a reply of ours does not parse");
    auto name = std::string(head.name) + "_ACK";
    if (head.framing == Framing::kRdsn) name.resize(std::min<size_t>(name.size(), 47));
    require(reply->head.id == head.id && reply->head.name == name && reply->head.error == error,
            "the head of a reply changed");
    bool has_body = head.framing == Framing::kRdsn || error == ErrorCode::kOk;
    require(reply->body == (has_body ? body : ""), "the body of a reply changed");
  }
}

// With checksums every flipped bit is detected.
void check_flipped_bit(std::string frame) {
  size_t bit = std::hash<std::string>()(frame) % (frame.size() * 8);
  frame[bit / 8] = char(frame[bit / 8] ^ (1 << bit % 8));
  auto size = measure_request(frame);
  require(!size || *size != frame.size() || !parse_request(frame), "a flipped bit goes unnoticed");
}

void fuzz_request(std::string_view frame) {
  auto request = parse_request(frame);
  if (!request) return;
  for (bool with_checksums : {false, true}) {
    std::string again;
    append_request(again, request->head, request->body, with_checksums);
    require(measure_request(again) == again.size(), "a request of ours has no size");
    auto parsed = parse_request(again);
    require(parsed.has_value(), "a request of ours does not parse");
    check_same(*request, *parsed);
    if (with_checksums && request->head.framing == Framing::kRdsn) check_flipped_bit(again);
  }
  check_reply_to(request->head, ErrorCode::kOk, request->body);
  check_reply_to(request->head, ErrorCode::kBusy, request->body);
}

void fuzz_reply(Framing framing, std::string_view frame) {
  auto reply = parse_reply(framing, frame);
  if (!reply || !reply->head.name.ends_with("_ACK")) return;
  auto name = reply->head.name;
  name.remove_suffix(4);
  RequestHead head{.framing = framing, .id = reply->head.id, .name = name, .gpid = {}};
  check_reply_to(head, reply->head.error, reply->body);
}

void fuzz(std::string_view input) {
  if (input.empty()) return;
  auto first = uint8_t(input[0]);
  auto kind = Kind(first & 3);
  std::string bytes(input.substr(1));
  if (first & 0x80) mend_lengths(kind, bytes);
  auto size = measure(kind, bytes);
  if (!size) return;
  require(*size <= kMaxFrameSize, "a frame over the limit is accepted");
  if (*size == 0 || *size > bytes.size()) return;
  auto frame = std::string_view(bytes).substr(0, *size);
  check_beginnings(kind, frame);
  if (kind == kRdsnReply) return fuzz_reply(Framing::kRdsn, frame);
  if (kind == kThriftReply) return fuzz_reply(Framing::kThriftV0, frame);
  fuzz_request(frame);
}

}  // namespace
}  // namespace pegmove::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pegmove::wire::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
