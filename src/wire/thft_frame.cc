#include "wire/thft_frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "wire/binary.h"

namespace pegmove::wire::thft {
namespace {

using base::append_big_endian;
using base::load_big_endian;

constexpr size_t kV0HeaderSize = 48;
constexpr size_t kV1HeaderSize = 16;
constexpr size_t kMaxNameSize = 47;  // real servers keep no more of a name

// TMessage types of Thrift.
constexpr int8_t kCall = 1;
constexpr int8_t kReply = 2;
constexpr int8_t kOneway = 4;
constexpr uint32_t kStrictVersion = 0x80010000;

Result<size_t> bounded(uint64_t size, size_t max_frame_size) {
  if (size > max_frame_size)
    return fail(Code::kTooLarge, fmt::format("THFT frame of {} bytes is over the limit", size));
  return size_t(size);
}

struct Message {
  int8_t type;
  std::string_view name;
  uint32_t seqid;
};

// Reads a TMessage in the strict or the old form.
Message read_message_begin(BinaryReader& in) {
  auto first = uint32_t(in.i32());
  Message message{};
  if (first & 0x80000000) {
    if ((first & 0xffff0000) != kStrictVersion) in.fail("TMessage of an unknown version");
    message.type = int8_t(first & 0xff);
    message.name = in.bytes();
  } else {
    message.name = in.raw(first);
    message.type = in.i8();
  }
  message.seqid = uint32_t(in.i32());
  return message;
}

void append_message_begin(std::string& out, int8_t type, std::string_view name,
                          std::string_view suffix, uint64_t seqid) {
  append_big_endian(out, kStrictVersion | uint32_t(uint8_t(type)));
  append_big_endian(out, uint32_t(name.size() + suffix.size()));
  out.append(name).append(suffix);
  append_big_endian(out, uint32_t(seqid));
}

// The meta struct of version 1: all fields optional.
void read_v1_meta(BinaryReader& in, RequestHead& head) {
  for (;;) {
    auto field = in.field();
    if (field.type == BinaryReader::kStop) return;
    if (field.id == 1 && field.type == BinaryReader::kI32)
      head.gpid.app_id = in.i32();
    else if (field.id == 2 && field.type == BinaryReader::kI32)
      head.gpid.partition_index = in.i32();
    else if (field.id == 3 && field.type == BinaryReader::kI32)
      head.timeout_ms = in.i32();
    else if (field.id == 4 && field.type == BinaryReader::kI64)
      head.partition_hash = uint64_t(in.i64());
    else if (field.id == 5 && field.type == BinaryReader::kBool)
      head.is_backup_request = in.i8() != 0;
    else
      in.skip(field.type);
  }
}

void append_v1_meta(std::string& out, const RequestHead& head) {
  append_i32_field(out, 1, head.gpid.app_id);
  append_i32_field(out, 2, head.gpid.partition_index);
  append_i32_field(out, 3, head.timeout_ms);
  append_i64_field(out, 4, int64_t(head.partition_hash));
  append_bool_field(out, 5, head.is_backup_request);
  out += '\0';
}

std::string_view read_header(std::string_view frame, RequestHead& head, BinaryReader& meta) {
  if (load_big_endian<uint32_t>(&frame[4]) == 1) {
    auto meta_size = load_big_endian<uint32_t>(&frame[8]);
    meta = BinaryReader(frame.substr(kV1HeaderSize, meta_size));
    head.framing = Framing::kThriftV1;
    read_v1_meta(meta, head);
    return frame.substr(kV1HeaderSize + meta_size);
  }
  head.framing = Framing::kThriftV0;
  head.gpid = {load_big_endian<int32_t>(&frame[24]), load_big_endian<int32_t>(&frame[28])};
  head.timeout_ms = load_big_endian<int32_t>(&frame[32]);
  head.partition_hash = load_big_endian<uint64_t>(&frame[40]);
  return frame.substr(kV0HeaderSize);
}

}  // namespace

Result<size_t> measure_request(std::string_view bytes, size_t max_frame_size) {
  if (bytes.size() < kV1HeaderSize) return 0;
  auto version = load_big_endian<uint32_t>(&bytes[4]);
  uint64_t length = load_big_endian<uint32_t>(&bytes[8]);
  if (version == 1)
    return bounded(kV1HeaderSize + length + load_big_endian<uint32_t>(&bytes[12]), max_frame_size);
  if (version != 0)
    return fail(Code::kProtocol, fmt::format("THFT version {} is unknown", version));
  if (length != kV0HeaderSize)
    return fail(Code::kProtocol, "THFT header with a wrong header length");
  if (bytes.size() < kV0HeaderSize) return 0;
  return bounded(kV0HeaderSize + load_big_endian<uint32_t>(&bytes[16]), max_frame_size);
}

Result<size_t> measure_reply(std::string_view bytes, size_t max_frame_size) {
  if (bytes.size() < 4) return 0;
  auto size = load_big_endian<uint32_t>(bytes.data());
  if (size < 4) return fail(Code::kProtocol, "THFT reply with a wrong length");
  return bounded(size, max_frame_size);
}

Result<Request> parse_request(std::string_view frame) {
  Request request;
  BinaryReader meta{{}};
  auto rest = read_header(frame, request.head, meta);
  if (!meta.ok())
    return ::pegmove::fail(Code::kProtocol, "THFT meta: " + std::string(meta.error()));
  request.head.message_size = rest.size();
  BinaryReader in(rest);
  auto message = read_message_begin(in);
  if (!in.ok()) return ::pegmove::fail(Code::kProtocol, "THFT body: " + std::string(in.error()));
  if (message.type != kCall && message.type != kOneway)
    return ::pegmove::fail(Code::kProtocol, "the THFT message is not a call");
  request.head.id = message.seqid;
  request.head.name = message.name.substr(0, kMaxNameSize);
  request.body = in.rest();
  return request;
}

Result<Reply> parse_reply(std::string_view frame) {
  BinaryReader in(frame.substr(4));
  Reply reply;
  reply.head.framing = Framing::kThriftV0;
  reply.head.error = error_from_name(in.bytes());
  auto message = read_message_begin(in);
  if (!in.ok()) return ::pegmove::fail(Code::kProtocol, "THFT reply: " + std::string(in.error()));
  if (message.type != kReply)
    return ::pegmove::fail(Code::kProtocol, "the THFT message is not a reply");
  reply.head.id = message.seqid;
  reply.head.name = message.name;
  // Some paths of real servers leave a default struct after an error: it means nothing.
  if (reply.head.error == ErrorCode::kOk) reply.body = in.rest();
  return reply;
}

void append_request(std::string& out, const RequestHead& head, std::string_view body) {
  size_t start = out.size();
  out += "THFT";
  if (head.framing == Framing::kThriftV1) {
    append_big_endian(out, uint32_t{1});
    out.append(8, '\0');
    append_v1_meta(out, head);
    base::store_big_endian(&out[start + 8], uint32_t(out.size() - start - kV1HeaderSize));
  } else {
    append_big_endian(out, uint32_t{0});
    append_big_endian(out, uint32_t(kV0HeaderSize));
    out.append(12, '\0');
    append_big_endian(out, head.gpid.app_id);
    append_big_endian(out, head.gpid.partition_index);
    append_big_endian(out, head.timeout_ms);
    append_big_endian(out, head.gpid.app_id > 0 ? thread_hash(head.gpid) : 0);
    append_big_endian(out, head.partition_hash);
  }
  size_t message = out.size();
  append_message_begin(out, kCall, head.name, "", head.id);
  out += body;
  size_t length_at = start + (head.framing == Framing::kThriftV1 ? 12 : 16);
  base::store_big_endian(&out[length_at], uint32_t(out.size() - message));
}

void append_reply(std::string& out, const RequestHead& request, ErrorCode error,
                  std::string_view body) {
  size_t start = out.size();
  out.append(4, '\0');
  auto name = error_name(error);
  append_big_endian(out, uint32_t(name.size()));
  out += name;
  append_message_begin(out, kReply, request.name, "_ACK", request.id);
  out += body;
  base::store_big_endian(&out[start], uint32_t(out.size() - start));
}

}  // namespace pegmove::wire::thft
