// RPC frames, both directions: RDSN (C++ clients and servers), THFT version 0 (Go, Python, Node)
// and version 1 (Java). Source: src/runtime/rpc in Pegasus (dsn_message_parser,
// thrift_message_parser, rpc_message.h).
//
// A connection uses one framing, recognized by the first four bytes of its first frame. Reading
// takes two steps: measure_*() returns the size of the next frame as soon as its beginning has
// arrived, and parse_*() splits a whole frame into views. Nothing here allocates by a claimed size.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "wire/error_code.h"

namespace pegmove::wire {

enum class Framing : uint8_t { kRdsn, kThriftV0, kThriftV1 };

// The args field of a THFT request has id 1, every other body's field id 0.
constexpr int16_t request_field_id(Framing framing) { return framing == Framing::kRdsn ? 0 : 1; }

// No frame longer than this is accepted, whatever its header claims; the largest frames of real
// clusters are replies to multi_get (30 MiB and one record).
inline constexpr size_t kMaxFrameSize = 64ull << 20;

// What the header of a request says. Views point into the parsed frame.
struct RequestHead {
  Framing framing = Framing::kRdsn;
  uint64_t id = 0;              // RDSN: request id; THFT: the seqid. Echoed in the reply.
  std::string_view name;        // the RPC code's name
  Gpid gpid;                    // app_id <= 0: for no partition
  uint64_t partition_hash = 0;  // hash of the key, or the partition index in full scans; 0 unknown
  int32_t timeout_ms = 0;       // the client's; 0 or wrong in some clients: only a hint
  bool is_backup_request = false;
  size_t message_size = 0;  // bytes after the header: what max_allowed_write_size bounds
  // RDSN only:
  uint64_t trace_id = 0;
  uint64_t from_address = 0;  // raw rpc_address of the sender
  // To be written, not read: the partition that a request is about whose `gpid` is none. Real
  // servers end their process when it reaches another thread than that of the partition.
  Gpid thread_of = {};
};

struct Request {
  RequestHead head;
  std::string_view body;
};

struct ReplyHead {
  Framing framing = Framing::kRdsn;
  uint64_t id = 0;
  std::string_view name;  // ends in "_ACK"
  ErrorCode error = ErrorCode::kOk;
};

struct Reply {
  ReplyHead head;
  std::string_view body;  // may be empty when the error is not kOk
};

// The size of the frame that `bytes` begin with; 0 = more bytes are needed. Errors: kProtocol for
// an unknown magic or a header that contradicts itself, kTooLarge for a frame larger than
// `max_frame_size`: the connection cannot be used any more.
Result<size_t> measure_request(std::string_view bytes, size_t max_frame_size = kMaxFrameSize);
// Replies do not identify their framing: the side that sent the request knows it.
Result<size_t> measure_reply(Framing framing, std::string_view bytes,
                             size_t max_frame_size = kMaxFrameSize);

// Splits a whole frame into its parts. Precondition: measure_*() returned the frame's size. Errors:
// kProtocol for anything malformed; kCorrupt when a checksum is present and does not match.
Result<Request> parse_request(std::string_view frame);
Result<Reply> parse_reply(Framing framing, std::string_view frame);

// Appends a whole frame. `body` is an encoded body (thrift_codec.h), with request_field_id().
// with_checksums: RDSN only; fills header and body CRC-32C (real servers do so only when configured
// to).
void append_request(std::string& out, const RequestHead& head, std::string_view body,
                    bool with_checksums = false);
// Appends the reply to the request with the given head. `server_address` is the raw rpc_address of
// this node.
void append_reply(std::string& out, const RequestHead& request, ErrorCode error,
                  std::string_view body, uint64_t server_address, bool with_checksums = false);

// What RDSN requests carry in client.thread_hash: real servers check it on writes.
// Wraps around, as gpids arrive unchecked.
constexpr int32_t thread_hash(Gpid gpid) {
  return int32_t(uint32_t(gpid.app_id) * 7919 + uint32_t(gpid.partition_index));
}

}  // namespace pegmove::wire
